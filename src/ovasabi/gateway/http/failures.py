"""What a caller over HTTP is told of an error: its envelope, its status, and nothing of the server's inside."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.gateway.exception_mapping import known
from ovasabi.gateway.http.messages import HttpResponse
from ovasabi.gateway.http.router import WrongMethod
from ovasabi.gateway.status_codes import retry_after
from ovasabi.gateway.wire.problems import MEDIA_TYPE, BadRequest, NoRoute, problem_of
from ovasabi.kernel.call.errors import VersionConflict


class Asked(msgspec.Struct, frozen=True):
    """Of a request, what the answer to its failure needs."""

    method: str
    path: str
    headers: Mapping[str, str]
    correlation_id: str | None


def failure(asked: Asked, error: Exception) -> HttpResponse:
    """The answer to an error; one that should not have happened is logged."""
    if isinstance(error, WrongMethod):
        return refused(asked, 405, HTTPStatus(405).phrase, {"allow": error.allowed})
    told = known(error, f"{asked.method} {asked.path}", asked.correlation_id)
    return _answer(asked, told, _status(asked, told))


def refused(asked: Asked, status: int, detail: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """What HTTP itself refuses, before any method is called."""
    if status == 404:
        return _answer(asked, NoRoute(method=asked.method, path=asked.path))
    error = BadRequest(problem=f"The request is refused: {detail or 'it is malformed'}.")
    return _answer(asked, error, status, headers)


def _status(asked: Asked, error: OvasabiError) -> int | None:
    # A version from If-Match is a precondition of HTTP's own, which has its own status.
    return 412 if isinstance(error, VersionConflict) and "if-match" in asked.headers else None


def _answer(
    asked: Asked, error: OvasabiError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    problem = problem_of(error, asked.correlation_id, status)
    extra = dict(headers or {})
    if problem.status == 401:
        extra["www-authenticate"] = 'Bearer realm="ovasabi"'
    if (seconds := retry_after(error)) is not None:
        extra["retry-after"] = str(seconds)
    return HttpResponse(msgspec.json.encode(problem), problem.status, MEDIA_TYPE, extra)
