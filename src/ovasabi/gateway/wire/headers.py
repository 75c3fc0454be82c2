"""What a call carries beside its body, at every door alike: media types, and the forms of keys, versions and times."""

import re

from ovasabi.gateway.wire.problems import BadRequest

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
CORRELATION = re.compile(r"[A-Za-z0-9_-]{8,100}")
KEY = r"[\x21-\x7e]{1,190}"
ETAG = r'"?v?([0-9]{1,9})"?'
TIMEOUT = r"[1-9][0-9]{0,4}(\.[0-9]{1,9})?|0\.[0-9]{0,8}[1-9]"
MAX_TIMEOUT = 100_000.0
CLIENT_KEY = "client:"
"""What the keys of clients begin with; those that the platform makes for its own creates begin otherwise."""
_KEY = re.compile(KEY)


def idempotency_key(text: str | None, name: str) -> str | None:
    """The client's key of a create, if it gave one; `name` is what the door calls it."""
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise BadRequest(field=name, problem=f"The {name} has 1 to 190 visible ASCII characters.")
    return f"{CLIENT_KEY}{text}"


def causation(text: str | None, name: str) -> int | None:
    """The id of the event that caused the call."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise BadRequest(field=name, problem=f"{name} is the id of an event.")
    return int(text)
