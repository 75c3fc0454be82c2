"""Error responses over HTTP: problem details and a status, without revealing internal details."""

from collections.abc import Mapping

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.gateway.exception_mapping import public_error
from ovasabi.gateway.http.messages import HttpResponse
from ovasabi.gateway.http.router import WrongMethod
from ovasabi.gateway.status_codes import retry_after
from ovasabi.gateway.wire.problems import MEDIA_TYPE, BadRequest, NoRoute, problem_of
from ovasabi.kernel.call.errors import VersionConflict


class RequestInfo(msgspec.Struct, frozen=True):
    """What an error response needs to know about its request."""

    method: str
    path: str
    headers: Mapping[str, str]
    correlation_id: str | None


def failure(request: RequestInfo, error: Exception) -> HttpResponse:
    """Returns the error response for any exception; internal errors are logged."""
    if isinstance(error, WrongMethod):
        return _response(request, _unsupported(request, error.allowed), 405, {"allow": error.allowed})
    public = public_error(error, f"{request.method} {request.path}")
    return _response(request, public, _status(request, public))


def refused(request: RequestInfo, status: int, detail: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Returns the error response for a request that is refused at the level of HTTP, before any method is called."""
    if status == 404:
        return _response(request, NoRoute(method=request.method, path=request.path))
    bad_request = BadRequest(problem=f"The request was refused: {(detail or 'it is malformed').rstrip('.')}.")
    return _response(request, bad_request, status, headers)


def _unsupported(request: RequestInfo, allowed: str) -> BadRequest:
    others = [verb for verb in allowed.split(", ") if verb not in ("HEAD", "OPTIONS")]
    *first, last = others or [""]
    hint = f"Use {', '.join(first)} or {last}." if first else f"Use {last}." if last else None
    return BadRequest(problem=f"{request.path} does not support {request.method}.", hint=hint)


def _status(request: RequestInfo, error: OvasabiError) -> int | None:
    # A version from If-Match is a precondition in terms of HTTP, which has a status for it.
    return 412 if isinstance(error, VersionConflict) and "if-match" in request.headers else None


def _response(
    request: RequestInfo, error: OvasabiError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    problem = problem_of(error, request.correlation_id, status)
    extra = dict(headers or {})
    if problem.status == 401:
        extra["www-authenticate"] = 'Bearer realm="ovasabi"'
    if (seconds := retry_after(error)) is not None:
        extra["retry-after"] = str(seconds)
    return HttpResponse(msgspec.json.encode(problem), problem.status, MEDIA_TYPE, extra)
