"""53-bit ids that contain their creation time, and version 7 UUIDs that contain their id."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = 1_577_836_800_000  # EPOCH in Unix milliseconds
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile("0|[1-9][0-9]*")
MAX_ID = (1 << 53) - 1
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
"""The id of an entity or event in requests and responses."""


def id_time(id: int) -> datetime:
    """Returns the time in an id, in UTC, to the millisecond. Equivalent to the SQL function `id_time`."""
    return _UNIX + ((id >> 12) + _OFFSET) * _MILLISECOND


def time_id(at: datetime) -> int:
    """Returns the smallest id of a given time. Equivalent to the SQL function `time_id`."""
    return ((at - EPOCH) // _MILLISECOND) << 12


def server_of(id: int) -> int:
    """Returns the number of the server that made an id."""
    return id & 31


def uuid_id(reference: uuid.UUID) -> int | None:
    """Returns the id in one of our UUIDs; None for any other. Equivalent, for ours, to the SQL function `uuid_id`."""
    value = reference.int
    if (value >> 76) & 0xF != 7:
        return None
    id = (((value >> 80) - _OFFSET) << 12) | ((value >> 64) & 0xFFF)
    return id if 0 <= id <= MAX_ID else None


def number_in(text: str, *, digits: int) -> int | None:
    """Returns the number that a text is; None if it is none, has more digits, or is not spelled as we write it.

    int() is lenient: it accepts signs, spaces, underscores, leading zeros, and the digits of other scripts.
    """
    return int(text) if len(text) <= digits and _NUMBER.fullmatch(text) else None


def parse_reference(text: str) -> tuple[int, uuid.UUID | None] | None:
    """Returns the id, and the UUID if the text is one; None if the text is neither an id nor a UUID.

    An id is written in decimal digits, a UUID in its canonical form (RFC 9562), in lower or upper case.
    """
    if (id := number_in(text, digits=16)) is not None:
        return (id, None) if id <= MAX_ID else None
    try:
        reference = uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
    # uuid.UUID is lenient: it accepts dashes anywhere, spaces, and the digits of other scripts.
    id_or_none = uuid_id(reference) if reference and str(reference) == text.lower() else None
    return None if id_or_none is None else (id_or_none, reference)
