"""Positions in the event log, the cursors that name them, and the check that a cursor belongs to this log."""

import re
from collections.abc import Sequence

import msgspec

from ovasabi.database.connection import Row
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import InvalidValue

Position = tuple[int, int]
"""A position in the log: that of a transaction, which includes the epoch of the log, and an event id."""

START: Position = (0, 0)
"""The start of the log, before all events."""

_TRANSACTION_BITS = 48
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,16})")


class CursorUnknown(OvasabiError):
    """The cursor was issued by another copy of the log, or after the state to which this one was restored."""

    kind = Kind.PRECONDITION
    code = "cursor_unknown"
    message = "The cursor {cursor} does not belong to this log: {problem}."
    hint = "Continue from an older cursor, or without one from the start, and skip the events whose ids you know."
    example = such_as(
        cursor="281474976715367-890616592048128", problem="the log was never in the epoch 1", field="after"
    )


class LogEnd(msgspec.Struct, frozen=True):
    """The end of the log when a statement read it: everything up to `position` was committed; and its epochs."""

    position: Position
    epochs: Sequence[int]

    def problem(self, after: Position) -> CursorUnknown | None:
        """Returns what is wrong with reading on after a position; None if it belongs to this log.

        A cursor that was issued by this log is not after its end: what was readable once remains so.
        """
        transaction, epoch = after[0], epoch_of(after)
        if after == START:
            return None
        if epoch not in self.epochs:
            problem = f"the log was never in the epoch {epoch}"
        elif transaction > self.position[0]:
            problem = f"it is {transaction - self.position[0]} transactions ahead of its end"
        else:
            return None
        return CursorUnknown(cursor=cursor_of(after), problem=problem, field="after")


def end_of(row: Row) -> LogEnd:
    """Returns the end of the log from a row with `horizon`, `horizon_id` and `epochs`."""
    return LogEnd((int(row["horizon"]) - 1, row["horizon_id"]), row["epochs"])


def packed(epoch: int, transaction: int) -> int:
    """Returns the position of a transaction, as `log_position` does."""
    return epoch << _TRANSACTION_BITS | transaction


def epoch_of(position: Position) -> int:
    """Returns the epoch of a position."""
    return position[0] >> _TRANSACTION_BITS


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
