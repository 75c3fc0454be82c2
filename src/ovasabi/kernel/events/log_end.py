"""The end of the event log and of each of its epochs, and the check that a cursor belongs to this log."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.events.cursors import START, Position, cursor_of, epoch_of

_SQL = load(__file__)
_AHEAD = timedelta(hours=1)
"""How far the time of a cursor may be ahead of the end's: the clock of a server before a failover may have been."""


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
    ended: Mapping[int, int]
    """The last positions of epochs that have ended, as far as they are known and were asked for."""

    def problem(self, after: Position) -> CursorUnknown | None:
        """Returns what is wrong with reading on after a position; None if it belongs to this log.

        A cursor that was issued by this log is not after its end, or that of its epoch: what was readable once remains
        so. Nor is it of a later time, from which on nothing could be read.
        """
        transaction, epoch = after[0], epoch_of(after)
        if after == START:
            return None
        last = self.position[0] if epoch == epoch_of(self.position) else self.ended.get(epoch, transaction)
        if epoch not in self.epochs:
            problem = f"the log was never in the epoch {epoch}"
        elif transaction > last:
            end = "its end" if last == self.position[0] else f"the end of the epoch {epoch}"
            problem = f"it is {transaction - last} transactions ahead of {end}"
        elif (at := id_time(after[1])) > id_time(self.position[1]) + _AHEAD:
            problem = f"its time, {at:%Y-%m-%d %H:%M} UTC, is ahead of the present"
        else:
            return None
        return CursorUnknown(cursor=cursor_of(after), problem=problem, field="after")


async def end_of(database: Database, row: Row, positions: Iterable[Position] = ()) -> LogEnd:
    """Returns the end of the log from a row with `horizon`, `horizon_id` and `epochs`, to check positions with it.

    Only a position of an earlier epoch needs another statement: the end of that epoch never changes.
    """
    position = (int(row["horizon"]) - 1, row["horizon_id"])
    if all(after == START or epoch_of(after) == epoch_of(position) for after in positions):
        return LogEnd(position, row["epochs"], {})
    rows = await read(database, _SQL["ended"])
    return LogEnd(position, row["epochs"], {each["epoch"]: each["last_position"] for each in rows})
