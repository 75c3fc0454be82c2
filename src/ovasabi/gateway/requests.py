"""Reading a request: who calls, for which campaign, and the typed values of its query, headers and body."""

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError
from ovasabi.gateway.http import Http
from ovasabi.gateway.problems import BadRequest, unreadable
from ovasabi.kernel.context import PLATFORM, Context, Principal, Role, new_correlation_id
from ovasabi.kernel.keys import Unauthenticated
from ovasabi.runtime import Platform
from ovasabi.services.campaign.directory import number_of

_CORRELATION = re.compile(rb"[A-Za-z0-9_-]{8,100}")
_ETAG = re.compile(r'"?v?([0-9]{1,9})"?')
_KEY = re.compile(r"[\x21-\x7e]{1,190}")


class Forbidden(OvasabiError):
    """The key is valid, but not for this."""

    kind = Kind.DENIED
    code = "forbidden"
    message = "This key may not do that: {reason}."
    hint = "Use a key of the right campaign and role; see `ovasabi keys create --help`."


def correlation_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's correlation id if it gave a well-formed one, else a new one."""
    for name, value in headers:
        if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
            return value.decode()
    return new_correlation_id()


async def authenticated(platform: Platform, request: Http) -> Principal:
    """The principal of the bearer key; there is no anonymous access to data."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated
    return await platform.keyring.principal(key.strip())


async def context_of(
    platform: Platform, request: Http, campaign: str | None, role: Role, *, deleted: bool = False
) -> Context:
    """The context of a call: authenticated, allowed, and confined to its campaign (none: the platform)."""
    principal = await authenticated(platform, request)
    if not principal.role.covers(role):
        raise Forbidden(reason=f"it needs the role {role.value}, and the key has {principal.role.value}")
    number = PLATFORM
    if campaign is not None:
        number = await _campaign(platform, principal, campaign, deleted)
    elif principal.campaign_id != PLATFORM:
        raise Forbidden(reason="it is of the platform, and the key is confined to a campaign")
    return Context(
        principal=principal,
        campaign_id=number,
        deadline=_deadline(platform, request),
        correlation_id=request.correlation_id,
        causation_id=_causation(request),
    )


def decode_body(body: bytes, kind: Any) -> Any:
    """The body as the method's request type; an error that names the field."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise BadRequest(problem="The body is not UTF-8.") from None
        raise unreadable(error, kind) from None


def decode_query(request: Http, kind: Any) -> Any:
    """The query as a typed struct; an unknown or repeated parameter is refused."""
    values = query_values(request, kind.__struct_fields__)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise unreadable(error, kind) from None


def query_values(request: Http, known: tuple[str, ...]) -> dict[str, str]:
    """The query's parameters by name; an unknown or repeated one is refused."""
    values: dict[str, str] = {}
    for name, value in request.query:
        if name not in known:
            hint = f"There are: {', '.join(known)}." if known else "It takes none."
            raise BadRequest(field=name, problem=f"There is no query parameter {name!r} here.", hint=hint)
        if name in values:
            raise BadRequest(field=name, problem=f"The query parameter {name!r} was given twice.")
        values[name] = value
    return values


def expected_version(request: Http) -> int | None:
    """The version in If-Match; none if the header is missing or `*`."""
    header = request.headers.get("if-match", "*").strip()
    if header == "*":
        return None
    match = _ETAG.fullmatch(header)
    if match is None:
        raise BadRequest(
            field="If-Match", problem="If-Match holds no ETag of ours.", hint='Send the ETag as it was given: "3".'
        )
    return int(match[1])


def idempotency_key(request: Http) -> str | None:
    """The client's key of a create, if it gave one."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadRequest(field="Idempotency-Key", problem="An Idempotency-Key has 1 to 190 visible ASCII characters.")
    return f"client:{key}"


def moment(values: Mapping[str, str], name: str) -> datetime | None:
    """A query parameter as a moment with its time zone."""
    if name not in values:
        return None
    try:
        at = msgspec.convert(values[name].replace(" ", "+"), datetime, strict=False)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadRequest(field=name, problem=f"{name} is a moment with its zone.", hint="Such as 2026-11-21T08:00:00Z.")
    return at


def given(struct: msgspec.Struct) -> dict[str, Any]:
    """The values of a draft or patch that were given."""
    return {k: v for k, v in msgspec.structs.asdict(struct).items() if v is not msgspec.UNSET}


async def _campaign(platform: Platform, principal: Principal, campaign: str, deleted: bool) -> int:
    try:
        number = await number_of(platform.database, campaign, deleted=deleted)
    except OvasabiError:
        if principal.campaign_id == PLATFORM:
            raise
        number = -1
    if principal.campaign_id not in (PLATFORM, number):
        # The same answer whether the other campaign exists or not.
        raise Forbidden(reason="it is confined to another campaign")
    return number


def _deadline(platform: Platform, request: Http) -> float | None:
    header = request.headers.get("x-request-timeout")
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise BadRequest(field="X-Request-Timeout", problem="X-Request-Timeout is a number of seconds, such as 2.5.")
    return asyncio.get_running_loop().time() + min(seconds, platform.settings.request_timeout_seconds)


def _causation(request: Http) -> int | None:
    header = request.headers.get("x-causation-id")
    if header is None:
        return None
    if not (header.isascii() and header.isdigit() and len(header) <= 16):
        raise BadRequest(field="X-Causation-Id", problem="X-Causation-Id is the id of an event.")
    return int(header)
