"""Ids of 53 bits that carry their time, and the version 7 UUIDs that carry their id."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = 1_577_836_800_000  # EPOCH in Unix milliseconds
_MILLISECOND = timedelta(milliseconds=1)
MAX_ID = (1 << 53) - 1
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
"""The id of an entity or event, as a request or an answer gives it."""


def id_time(id: int) -> datetime:
    """The moment that an id carries, UTC, to the millisecond. Equal to the SQL function `id_time`."""
    return _UNIX + ((id >> 12) + _OFFSET) * _MILLISECOND


def time_id(at: datetime) -> int:
    """The smallest id of a moment. Equal to the SQL function `time_id`."""
    return ((at - EPOCH) // _MILLISECOND) << 12


def uuid_id(reference: uuid.UUID) -> int | None:
    """The id inside a UUID of ours; None if it cannot be one. Equal to the SQL function `uuid_id` for ours."""
    value = reference.int
    if (value >> 76) & 0xF != 7:
        return None
    id = (((value >> 80) - _OFFSET) << 12) | ((value >> 64) & 0xFFF)
    return id if 0 <= id <= MAX_ID else None


def parse_reference(text: str) -> tuple[int, uuid.UUID | None] | None:
    """An id, and the UUID if the text was one; None if the text is neither.

    The integer form is plain decimal digits; the UUID form is canonical (RFC 9562), in either case.
    """
    if text.isascii() and text.isdigit():
        id = int(text) if len(text) <= 16 else MAX_ID + 1
        return (id, None) if id <= MAX_ID else None
    try:
        reference = uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
    # uuid.UUID is lenient: it takes dashes anywhere, spaces, and the digits of other scripts.
    id_or_none = uuid_id(reference) if reference and str(reference) == text.lower() else None
    return None if id_or_none is None else (id_or_none, reference)
