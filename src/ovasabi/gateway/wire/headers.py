"""What a call carries besides its body in every protocol: media types, and the formats of keys, versions and times."""

import re

from ovasabi.gateway.wire.problems import BadRequest
from ovasabi.kernel.call.context import CLIENT_KEY
from ovasabi.kernel.declare.ids import number_in

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
CORRELATION = re.compile(r"[A-Za-z0-9_-]{8,100}")
KEY = r"[\x21-\x7e]{1,190}"
ETAG = r'"(0|[1-9][0-9]{0,8})"|(0|[1-9][0-9]{0,8})'
TIMEOUT = r"[1-9][0-9]{0,4}(\.[0-9]{1,9})?|0\.[0-9]{0,8}[1-9]"
MAX_TIMEOUT = 100_000.0
_KEY = re.compile(KEY)
SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
"""Headers of every response that has no others: no browser runs, frames or keeps what the API returns."""


def idempotency_key(text: str | None, name: str) -> str | None:
    """Returns the client's idempotency key, if there is one; `name` is its name in the protocol."""
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise BadRequest(field=name, problem=f"{name} must have 1 to 190 visible ASCII characters.")
    return f"{CLIENT_KEY}{text}"


def causation(text: str | None, name: str) -> int | None:
    """Returns the id of the event that caused the call, if there is one."""
    if text is None:
        return None
    if (id := number_in(text, digits=16)) is None:
        raise BadRequest(field=name, problem=f"{name} must be the id of an event.")
    return id
