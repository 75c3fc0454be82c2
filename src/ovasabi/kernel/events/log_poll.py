"""Polls the event log: reads what came after positions up to the horizon, and tells how far behind that is."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

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
from ovasabi.kernel.events.log import Event, earliest, event_of, pool_for
from ovasabi.kernel.events.log_end import CursorUnknown, LogEnd, end_of
from ovasabi.kernel.statements.bounding import PAGE_BYTES

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

SAMPLE_SECONDS = 0.5
"""How often a poll is noted at most: there are twenty a second while events arrive."""
SAMPLES = 1024
"""How many are kept; of more, every second one is dropped, and the lag is told the less exactly the longer it is."""
KNOWN_SECONDS = 10.0
"""How long after the last poll the lag is known: without watchers, and without the database, there are none."""

_lags: WeakKeyDictionary[Database, "FeedLag"] = WeakKeyDictionary()

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


class FeedLag:
    """What polls of one server's log have seen: when the first transaction after the present horizon had ended.

    It costs no statement, since each poll has a snapshot. A transaction that was open before the first poll counts
    from there.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: list[tuple[float, int]] = []
        """Times, and up to which transaction some had ended by then; only those after the horizon."""
        self._newest = 0
        self._noted_at: float | None = None

    def note(self, row: Row) -> None:
        """Notes the snapshot of a poll: its `oldest` running transaction, and the `newest`, before which some ended."""
        self._see(int(row["oldest"]), int(row["newest"]))

    @property
    def seconds(self) -> float | None:
        """For how long at least events have been held back; 0 if none are, None if it is not known."""
        if self._noted_at is None or self._now() > self._noted_at + KNOWN_SECONDS:
            return None
        return round(self._now() - self._ends[0][0], 1) if self._ends else 0.0

    def _see(self, oldest: int, newest: int) -> None:
        now = self._now()
        if newest < self._newest:
            if self._noted_at is not None and now <= self._noted_at + KNOWN_SECONDS:
                return  # an earlier snapshot, of a poll that took longer than a later one
            self._ends.clear()  # the log has moved to another server
        self._noted_at, self._newest = now, newest
        self._ends = [each for each in self._ends if each[1] > oldest]
        if newest <= oldest or (self._ends and now < self._ends[-1][0] + SAMPLE_SECONDS):
            return
        if len(self._ends) >= SAMPLES:
            del self._ends[1::2]
        self._ends.append((now, newest))


def lag_of(database: Database) -> FeedLag:
    """Returns the lag of a server's feed, as the polls of this process see it."""
    if (lag := _lags.get(database)) is None:
        lag = _lags[database] = FeedLag()
    return lag
