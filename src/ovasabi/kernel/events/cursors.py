"""Positions in the event log, and the cursors that name them."""

import re

from ovasabi.kernel.call.errors import InvalidValue

Position = tuple[int, int]
"""A position in the log: that of a transaction, which includes the epoch of the log, and an event id."""

START: Position = (0, 0)
"""The start of the log, before all events."""

_TRANSACTION_BITS = 48
_SEQUENCE = 0xFFF
"""The bits of an id that are not its time: of a sequence, and of the server's number in the lowest five."""
_LAST_SEQUENCE = 0xFE0
_CURSOR = re.compile(r"(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,15})")
"""One spelling only: consumers compare cursors as texts."""


def packed(epoch: int, transaction: int) -> int:
    """Returns the position of a transaction, as `log_position` does."""
    return epoch << _TRANSACTION_BITS | transaction


def epoch_of(position: Position) -> int:
    """Returns the epoch of a position."""
    return position[0] >> _TRANSACTION_BITS


def end_id(of_moment: int, server: int) -> int:
    """Returns the id in the position of the end of the log: the last one of a moment on a server."""
    return of_moment | _LAST_SEQUENCE | server


def names_no_server(id: int) -> bool:
    """Returns whether the id is that of an end of the log as earlier versions issued it."""
    return id & _SEQUENCE == 0


def cursor_of(position: Position) -> str:
    """Returns the cursor for reading on after a position."""
    return f"{position[0]}-{position[1]}"


def parse_cursor(cursor: str | None) -> Position:
    """Returns the position of a cursor, or the start of the log if there is no cursor."""
    if not cursor:
        return START
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[1]) >= 1 << 64 or int(match[2]) >= 1 << 53:
        raise InvalidValue(field="after", problem="The cursor was not issued by this feed.")
    return int(match[1]), int(match[2])
