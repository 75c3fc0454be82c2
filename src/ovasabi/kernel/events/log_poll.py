"""Polls the event log: reads what came after a position, for many campaigns in one statement, up to the horizon."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.failures import transient
from ovasabi.database.retry import Policy, retry
from ovasabi.database.sql import load
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.events.cursors import Position, parse_cursor
from ovasabi.kernel.events.feed_lag import lag_of
from ovasabi.kernel.events.log import Event, earliest, event_of, pool_for
from ovasabi.kernel.events.log_end import CursorUnknown, LogEnd, end_of
from ovasabi.kernel.statements.bounding import PAGE_BYTES

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

_SQL = load(__file__)


class LogPage(msgspec.Struct, frozen=True):
    """Events in order, the position up to which the log was read, and whether the limit ended the page.

    If the position to read from is not of this log, `problem` says why; other pages of the same poll are not affected.
    """

    events: list[Event]
    position: Position
    full: bool
    problem: CursorUnknown | None = None

    def checked(self) -> "LogPage":
        """Returns the page; raises CursorUnknown if the position is not of this log."""
        if self.problem is not None:
            raise self.problem
        return self


async def poll(
    database: Database,
    positions: Sequence[tuple[int, Position]],
    *,
    limit: int,
    max_bytes: int = PAGE_BYTES,
    types: Sequence[str] | None = None,
    entity_id: int | None = None,
) -> list[LogPage]:
    """Returns, for each campaign, the events after its position; at most `limit` events of each campaign are read.

    The payloads of a campaign have at most `max_bytes`, unless that of its next event alone is larger.
    Events of other types count towards the limit but are not returned: a poll is bounded, however rare the types are.
    """
    campaigns = [campaign for campaign, _ in positions]
    rows = await read(
        database, _SQL["poll"], scope_of(*campaigns), campaigns, [str(xid) for _, (xid, _) in positions],
        [id for _, (_, id) in positions], list(STREAMS), min(earliest(id) for _, (_, id) in positions),
        list(types) if types else None, entity_id, limit, max_bytes, pool=pool_for(entity_id),
    )  # fmt: skip
    by_campaign: list[list[Row]] = [[] for _ in positions]
    for row in rows:
        by_campaign[row["number"] - 1].append(row)
    lag_of(database).note(rows[0])
    end = await end_of(database, rows[0], positions)
    return [_page(rows, end, after, limit) for rows, (_, after) in zip(by_campaign, positions, strict=True)]


async def end_of_log(database: Database) -> Position:
    """Returns the position up to which a poll would read now: whatever is committed later comes after it."""
    (row,) = await read(database, _SQL["horizon"])
    lag_of(database).note(row)
    return (await end_of(database, row)).position


def position_of(event: Event) -> Position:
    """Returns the position of an event."""
    return parse_cursor(event.cursor)


async def persistently(operation: Callable[[], Awaitable[T]], patience_seconds: float) -> T:
    """Returns the operation's result; retries it for a while if the database cannot be reached or is overloaded."""
    try:
        policy = Policy(first=FIRST_PAUSE, longest=LONGEST_PAUSE, seconds=patience_seconds)
        return await retry(operation, policy, takes_over=True)
    except Exception as error:
        if not transient(error):
            raise
        reason = f"the event log could not be read for {patience_seconds:g} seconds"
        raise DatabaseUnavailable(reason=reason) from error


def _page(rows: list[Row], end: LogEnd, after: Position, limit: int) -> LogPage:
    if (problem := end.problem(after)) is not None:
        return LogPage([], after, False, problem)
    # A campaign without new events has one row, with the horizon alone.
    events = [row for row in rows if row["id"] is not None]
    full = len(events) >= limit or (bool(events) and events[-1]["more"] is not None)
    last = (int(events[-1]["xid"]), events[-1]["id"]) if full else end.position
    return LogPage([event_of(row) for row in events if row["wanted"]], max(after, last), full)
