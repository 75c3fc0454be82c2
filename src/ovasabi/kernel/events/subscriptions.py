"""Watching the event log: events as they are committed, from any cursor, with heartbeats; watchers share one poll."""

import asyncio
from collections.abc import Sequence
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.batching.batcher import Batcher, Limits
from ovasabi.kernel.call.context import current, current_campaign
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.events.cursors import Position, parse_cursor
from ovasabi.kernel.events.holdings import Holdings
from ovasabi.kernel.events.log import check_event_type
from ovasabi.kernel.events.log_poll import LogPage, end_of_log, lag_of, persistently, poll
from ovasabi.kernel.events.log_tail import LogTail, Subscriber, TooMuchUnread, WatcherTooSlow, WatchLimits
from ovasabi.kernel.events.watch import NOW, Heartbeat, Watch

__all__ = [
    "NOW",
    "Heartbeat",
    "Subscriptions",
    "TooManyWatchers",
    "TooMuchUnread",
    "Watch",
    "WatchEnded",
    "WatchLimits",
    "WatcherTooSlow",
]

# One poll covers up to 64 campaigns. They share the maximum number of events, but each may get at least a few.
_POLL_LIMITS = Limits(statements=2, rows=64, campaigns=64)
_MAX_EVENTS_PER_POLL, _MIN_EVENTS_PER_CAMPAIGN = 1024, 16
_BYTES_PER_POLL = 4 << 20
"""What the campaigns of a poll share. Each may get its next event, however large."""
# Watchers that are behind read their own pages. Only a few do so at a time, to leave connections to others.
_MAX_CATCHING_UP = 4


class TooManyWatchers(OvasabiError):
    """The maximum number of watchers has been reached."""

    kind = Kind.EXHAUSTED
    code = "too_many_watchers"
    message = "There are already {count} watchers of {what}."
    hint = "Close some watches, or share one watch between readers."
    example = such_as(count=1000, what="this campaign")


class WatchEnded(OvasabiError):
    """The process is shutting down, which ends its watches."""

    kind = Kind.UNAVAILABLE
    code = "watch_ended"
    message = "The server is shutting down. Resume from the cursor {cursor}."
    hint = "Watch again from this cursor in a moment."
    example = such_as(cursor="4711-890616592048128")

    @property
    def cursor(self) -> str:
        """The cursor from which to resume."""
        return str(self.values["cursor"])


class Subscriptions:
    """The watches of a process. Nothing runs while there are none."""

    def __init__(self, database: Database, limits: WatchLimits | None = None) -> None:
        self._database = database
        self._limits = limits or WatchLimits()
        self._holdings = Holdings(self._limits.unread_bytes, self._limits.unread_bytes_per_key)
        self._tails: dict[int, LogTail] = {}
        self._batcher: Batcher[tuple[int, Position], LogPage] = Batcher(self._poll, _POLL_LIMITS)
        self._catching_up = asyncio.Semaphore(_MAX_CATCHING_UP)
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def watch(
        self,
        *,
        after: str | None = None,
        types: Sequence[str] | None = None,
        entity_id: int | None = None,
        heartbeat_seconds: float = 15.0,
    ) -> Watch:
        """Returns the events of the context's campaign after a cursor, followed by new events as they are committed.

        Without a cursor, it starts at the beginning of the log. With `"now"`, the first item is an immediate heartbeat,
        and every event that is committed after it is delivered. Invalid arguments and too many watchers raise their
        errors here. The watch uses only the campaign of the context. Close it with `aclose` (or
        `contextlib.aclosing`); it is also closed when it is garbage-collected.
        """
        campaign = current_campaign()
        position = None if after == NOW else parse_cursor(after)
        wanted = frozenset(map(check_event_type, types)) if types else None
        if not heartbeat_seconds > 0:
            raise InvalidValue(
                field="heartbeat_seconds", problem="The heartbeat interval must be greater than 0 seconds."
            )
        tail = self._admit(campaign, after or "")
        holding = self._holdings.open(current().principal.name)
        subscriber = Subscriber(wanted, entity_id, self._limits, holding)
        tail.watchers.add(subscriber)

        async def read_page(after: Position) -> LogPage:
            return await persistently(
                lambda: self._read_page(campaign, after, wanted, entity_id), self._limits.patience_seconds
            )

        return Watch(tail, subscriber, position, read_page, heartbeat_seconds, lag_of(self._database))

    @property
    def watches(self) -> int:
        """The number of watches."""
        return sum(len(tail.watchers) for tail in self._tails.values())

    async def close(self) -> None:
        """Ends all watches with the error `WatchEnded`, and waits until their reads have ended."""
        self._closed = True
        reading: list[asyncio.Task[Any]] = []
        for tail in list(self._tails.values()):
            for subscriber in tuple(tail.watchers):
                reading += [subscriber.reading] if subscriber.reading is not None else []
                tail.drop(subscriber, lambda cursor: WatchEnded(cursor=cursor))
        await asyncio.gather(*self._ending, *reading, return_exceptions=True)
        await self._batcher.settled()

    def _admit(self, campaign: int, cursor: str) -> LogTail:
        if self._closed:
            raise WatchEnded(cursor=cursor)
        held = self._holdings.watches_of(current().principal.name)
        if held >= self._limits.watchers_per_key:
            raise TooManyWatchers(count=held, what="this key")
        tail = self._tails.get(campaign)
        if tail is not None and len(tail.watchers) >= self._limits.watchers_per_campaign:
            raise TooManyWatchers(count=len(tail.watchers), what="this campaign")
        count = self.watches
        if count >= self._limits.watchers:
            raise TooManyWatchers(count=count, what="this process")
        if tail is None:
            tail = self._tails[campaign] = self._tail(campaign)
        return tail

    def _tail(self, campaign: int) -> LogTail:
        def on_empty(tail: LogTail) -> None:
            del self._tails[campaign]
            self._ending.add(tail.task)
            tail.task.add_done_callback(self._ending.discard)

        return LogTail(
            lambda position: self._batcher.call((campaign, position), campaign=campaign),
            lambda: end_of_log(self._database),
            on_empty,
            self._limits,
        )

    async def _poll(self, positions: list[tuple[int, Position]]) -> list[LogPage]:
        limit = min(self._limits.page, max(_MIN_EVENTS_PER_CAMPAIGN, _MAX_EVENTS_PER_POLL // len(positions)))
        return await poll(self._database, positions, limit=limit, max_bytes=_BYTES_PER_POLL // len(positions))

    async def _read_page(
        self, campaign: int, after: Position, types: frozenset[str] | None, entity_id: int | None
    ) -> LogPage:
        async with self._catching_up:
            pages = await poll(
                self._database,
                [(campaign, after)],
                limit=self._limits.page,
                max_bytes=self._limits.page_bytes,
                types=sorted(types or ()),
                entity_id=entity_id,
            )
        return pages[0].checked()
