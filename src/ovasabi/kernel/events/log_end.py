"""The end of the event log and of each of its epochs, and the check that a cursor belongs to this log."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from weakref import WeakKeyDictionary

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.declare.ids import id_time, server_of
from ovasabi.kernel.events.cursors import START, Position, cursor_of, end_id, epoch_of, names_no_server

_SQL = load(__file__)
_AHEAD = timedelta(hours=1)
"""How far the time of a cursor may be ahead of the end's: the clock of a server before a failover may have been."""
_numbers: WeakKeyDictionary[Database, int] = WeakKeyDictionary()
"""The number of each server in its ids, which it keeps."""


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
    strange: frozenset[Position] = frozenset()
    """Those of the positions that another server has issued."""

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
        elif after in self.strange:
            problem = f"its id is one of server {server_of(after[1])}, not of this one"
        else:
            return None
        return CursorUnknown(cursor=cursor_of(after), problem=problem, field="after")


async def end_of(database: Database, row: Row, positions: Iterable[tuple[int, Position]] = ()) -> LogEnd:
    """Returns the end of the log from a row with `horizon`, `horizon_id` and `epochs`, to check positions with it.

    Each position is one of a campaign. Only a position of an earlier epoch, or with an id of another server, needs
    another statement.
    """
    number = await _number_of(database)
    position = (int(row["horizon"]) - 1, end_id(row["horizon_id"], number))
    known = [(campaign, after) for campaign, after in positions if after != START]
    ended: dict[int, int] = {}
    if any(epoch_of(after) != epoch_of(position) for _, after in known):
        # The end of such an epoch never changes.
        ended = {each["epoch"]: each["last_position"] for each in await read(database, _SQL["ended"])}
    strange = {after for campaign, after in known if not await _is_own(database, number, campaign, after)}
    return LogEnd(position, row["epochs"], ended, frozenset(strange))


async def _is_own(database: Database, number: int, campaign: int, after: Position) -> bool:
    """Returns whether a position may be one of this log.

    Its id has the server's number; if it has not, it is of an event of this log: ids of earlier versions had no number,
    and a logical copy has events of a server with another one.
    """
    position, id = after
    if server_of(id) == number or names_no_server(id):
        return True
    at = id_time(id)
    return bool(
        await read(database, _SQL["issued"], scope_of(campaign), campaign, list(STREAMS), at, str(position), id)
    )


async def _number_of(database: Database) -> int:
    if (number := _numbers.get(database)) is None:
        (row,) = await read(database, _SQL["number"])
        number = int(row["number"])
        if row["used"]:  # before that, it can still be changed
            _numbers[database] = number
    return number
