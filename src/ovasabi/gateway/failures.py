"""What a caller is told of an error: its envelope, its status, and nothing of the server's inside."""

import logging
from collections.abc import Mapping

import msgspec
from litestar.exceptions import HTTPException

from ovasabi.errors import OvasabiError
from ovasabi.gateway.http import Answer, BodyTooLarge
from ovasabi.gateway.problems import MEDIA_TYPE, BadRequest, NoRoute, Problem, problem_of, unexpected
from ovasabi.kernel.errors import VersionConflict, from_postgres

log = logging.getLogger("ovasabi.http")


class Asked(msgspec.Struct, frozen=True):
    """Of a request, what the answer to its failure needs."""

    method: str
    path: str
    headers: Mapping[str, str]
    correlation_id: str | None


def failure(asked: Asked, error: Exception) -> Answer:
    """The answer to an error; one that should not have happened is logged."""
    if isinstance(error, OvasabiError):
        return _problem(problem_of(error, asked.correlation_id, _status(asked, error)))
    if isinstance(error, HTTPException) and error.status_code < 500:
        if error.status_code == 404:
            return failure(asked, NoRoute(method=asked.method, path=asked.path))
        problem = BadRequest(problem=f"The request is refused: {error.detail or 'it is malformed'}.")
        return _problem(problem_of(problem, asked.correlation_id, error.status_code), error.headers)
    known = from_postgres(error, "entity", "") if hasattr(error, "sqlstate") else None  # type: ignore[arg-type]
    if known is not None:
        return failure(asked, known)
    log.error("%s %s failed (%s)", asked.method, asked.path, asked.correlation_id, exc_info=error)
    return _problem(unexpected(asked.correlation_id))


def _status(asked: Asked, error: OvasabiError) -> int | None:
    # A version from If-Match is a precondition of HTTP's own, which has its own status.
    if isinstance(error, VersionConflict) and "if-match" in asked.headers:
        return 412
    return 413 if isinstance(error, BodyTooLarge) else None


def _problem(problem: Problem, headers: Mapping[str, str] | None = None) -> Answer:
    extra = dict(headers or {})
    if problem.status == 401:
        extra["www-authenticate"] = 'Bearer realm="ovasabi"'
    if problem.status in (429, 503):
        extra["retry-after"] = "1"
    return Answer(msgspec.json.encode(problem), problem.status, MEDIA_TYPE, extra)
