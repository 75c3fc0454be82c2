"""Reads an HTTP request: the caller, and the typed values of its path, query, headers and body."""

import re
from datetime import datetime
from typing import Any

import msgspec

from ovasabi.gateway.admission import Caller
from ovasabi.gateway.http.messages import HttpRequest
from ovasabi.gateway.wire.headers import CORRELATION, ETAG, MAX_TIMEOUT, TIMEOUT, causation, idempotency_key
from ovasabi.gateway.wire.problems import BadRequest, unreadable
from ovasabi.kernel.call.context import new_correlation_id
from ovasabi.kernel.call.json_values import TOO_MANY, has_too_many_values
from ovasabi.kernel.declare.methods import Call, Method, MethodKind

_ETAG, _TIMEOUT = re.compile(ETAG), re.compile(TIMEOUT)


def correlation_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Returns the caller's correlation id if it is well-formed, and otherwise a new one."""
    for name, value in headers:
        if name == b"x-correlation-id" and CORRELATION.fullmatch(text := value.decode("latin-1")):
            return text
    return new_correlation_id()


def caller_of(request: HttpRequest) -> Caller:
    """Returns the caller, read from the headers."""
    return Caller(
        authorization=request.headers.get("authorization", ""),
        correlation_id=request.correlation_id,
        causation_id=causation(request.headers.get("x-causation-id"), "X-Causation-Id"),
        timeout=_timeout(request),
    )


async def call_of(method: Method, request: HttpRequest, parameters: dict[str, str]) -> Call:
    """Returns the call that the request makes."""
    return Call(
        method=method,
        campaign=parameters.get("campaign"),
        target=parameters.get("id"),
        request=await _request(method, request),
        expected_version=_expected_version(request) if method.takes_version else None,
        key=idempotency_key(request.headers.get("idempotency-key"), "Idempotency-Key") if method.takes_key else None,
        as_of=_as_of(request) if method.operation is MethodKind.GET else None,
    )


async def _request(method: Method, request: HttpRequest) -> Any:
    if method.writes:
        body = await request.body()
        if method.request is not None:
            return _decode_body(body, method)
        if body.strip() not in (b"", b"{}"):
            raise BadRequest(problem=f"{method.name} does not accept a body.")
        return None
    if method.request is not None:
        query = _decode_query(request, method.request)
        # A browser that reconnects to a watch sends the last id: the watch resumes there, whatever the query says.
        last_id = request.headers.get("last-event-id") if method.operation is MethodKind.WATCH else None
        return query if last_id is None else msgspec.structs.replace(query, after=last_id)
    if method.operation is not MethodKind.GET:
        _query_values(request, ())
    return None


def _decode_body(body: bytes, method: Method) -> Any:
    """Decodes the body as the method's request type; errors name the field."""
    kind, forms = method.request, method.forms
    if has_too_many_values(body):
        raise BadRequest(problem=f"The body {TOO_MANY}.", hint="Send less at a time.")
    try:
        decoded = msgspec.json.decode(body or b"{}", type=kind)
        if forms is not None:
            msgspec.json.decode(body or b"{}", type=forms)
        return decoded
    except RecursionError:
        raise BadRequest(problem="The body is nested too deeply.") from None
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise unreadable(error, kind, body) from None


def _decode_query(request: HttpRequest, kind: Any) -> Any:
    """Decodes the query as a typed struct; unknown and repeated parameters are refused."""
    values = _query_values(request, kind.__struct_fields__)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise unreadable(error, kind, of_text=True) from None


def _query_values(request: HttpRequest, known: tuple[str, ...]) -> dict[str, str]:
    """Returns the query parameters by name; unknown and repeated parameters are refused."""
    values: dict[str, str] = {}
    for name, value in request.query:
        if name not in known:
            hint = f"Available parameters: {', '.join(known)}." if known else "This method has no query parameters."
            raise BadRequest(field=name, problem=f"Unknown query parameter {name!r}.", hint=hint)
        if name in values:
            raise BadRequest(field=name, problem=f"The query parameter {name!r} appears more than once.")
        values[name] = value
    return values


def _expected_version(request: HttpRequest) -> int | None:
    """Returns the version in If-Match; None if the header is missing or `*`."""
    header = request.headers.get("if-match", "*").strip()
    if header == "*":
        return None
    match = _ETAG.fullmatch(header)
    if match is None:
        raise BadRequest(
            field="If-Match",
            problem="If-Match is not a valid ETag.",
            hint='Send the ETag as it was returned, for example "3".',
        )
    return int(match[1] or match[2])


def _as_of(request: HttpRequest) -> datetime | None:
    """Returns the query parameter `as_of`, a timestamp with a time zone."""
    values = _query_values(request, ("as_of",))
    if "as_of" not in values:
        return None
    try:
        at = msgspec.convert(values["as_of"].replace(" ", "+"), datetime, strict=False)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        hint = "Example: 2026-11-21T08:00:00Z"
        raise BadRequest(field="as_of", problem="as_of must be a timestamp with a time zone.", hint=hint)
    return at


def _timeout(request: HttpRequest) -> float | None:
    header = request.headers.get("x-request-timeout")
    if header is None:
        return None
    seconds = float(header) if _TIMEOUT.fullmatch(header) else 0.0
    if not 0 < seconds < MAX_TIMEOUT:
        problem = "X-Request-Timeout must be a number of seconds, for example 2.5."
        raise BadRequest(field="X-Request-Timeout", problem=problem)
    return seconds
