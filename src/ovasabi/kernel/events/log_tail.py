"""The tail of one campaign's event log: polled once, and offered to every watcher of the campaign in the process."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import nobodys_context
from ovasabi.kernel.events.cursors import Position
from ovasabi.kernel.events.holdings import EVENT_BYTES, Holding
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_poll import LogPage, persistently, position_of

# After this many events, other tasks get a turn: offering each event to every watcher of the campaign takes a while.
_EVENTS_PER_TURN = 32


class WatchLimits(msgspec.Struct, frozen=True):
    """The maximum number of watchers in a process, the size of their buffers, and how often and how long to poll.

    `unread_bytes` limits what all watches hold that was not read yet; those of a key have a part of it.
    """

    watchers: int = 1000
    watchers_per_campaign: int = 250
    watchers_per_key: int = 125
    events: int = 4096
    bytes: int = 4 << 20
    page: int = 256
    page_bytes: int = 256 << 10
    unread_bytes: int = 128 << 20
    unread_bytes_per_key: int = 32 << 20
    patience_seconds: float = 60.0
    quickest_seconds: float = 0.05
    slowest_seconds: float = 0.5


class WatcherTooSlow(OvasabiError):
    """The watcher's buffer was full, and its contents were discarded. Resume after the last event received."""

    kind = Kind.EXHAUSTED
    code = "watcher_too_slow"
    message = "The watcher did not keep up with the events and was disconnected. Resume from the cursor {cursor}."
    hint = "Watch again from this cursor; read faster, or watch fewer types."
    example = such_as(cursor="4711-890616592048128")

    @property
    def cursor(self) -> str:
        """The cursor from which to resume."""
        return str(self.values["cursor"])


class TooMuchUnread(OvasabiError):
    """The watches of a key, or of the process, hold too many events that their readers have not taken."""

    kind = Kind.EXHAUSTED
    code = "too_much_unread"
    message = "The watches of {what} hold too many events that were not read. Resume from the cursor {cursor}."
    hint = "Watch again from this cursor in a moment; read faster, or open fewer watches."
    example = such_as(what="this key", cursor="4711-890616592048128")

    @property
    def cursor(self) -> str:
        """The cursor from which to resume."""
        return str(self.values["cursor"])


class Subscriber:
    """One watcher, as the tail sees it: its filter and its buffer. `ready` wakes the watcher up."""

    def __init__(
        self, types: frozenset[str] | None, entity_id: int | None, limits: WatchLimits, holding: Holding
    ) -> None:
        self.holding = holding
        self.ready = asyncio.Event()
        self.failure: Callable[[str], Exception] | None = None
        self.reading: asyncio.Task[LogPage | None] | None = None
        self._types = types
        self._entity_id = entity_id
        self._limits = limits
        self._buffer: deque[tuple[Position, int, Event]] = deque()
        self._bytes = 0

    def offer(self, event: Event, position: Position, size: int) -> bool:
        """Buffers an event if it passes the filter; returns false if the buffer is full.

        An empty buffer takes one event of any size.
        """
        if self._types is not None and event.type not in self._types:
            return True
        if self._entity_id is not None and event.master_id != self._entity_id:
            return True
        full = len(self._buffer) >= self._limits.events or self._bytes + size > self._limits.bytes
        if self._buffer and (full or self.holding.full(size)):
            return False
        self._buffer.append((position, size, event))
        self._bytes += size
        self.holding.take(size)
        self.ready.set()
        return True

    def take(self) -> tuple[Position, Event, int] | None:
        """Removes and returns the first event of the buffer, with its position and size; None if there is none.

        The watch still holds it, until it is delivered.
        """
        if not self._buffer:
            return None
        position, size, event = self._buffer.popleft()
        self._bytes -= size
        return position, event, size

    def end(self, failure: Callable[[str], Exception]) -> None:
        """Discards the buffer; the watcher raises the failure, made with the cursor from which to resume."""
        self.failure = failure
        self._buffer.clear()
        self.holding.give_back(self._bytes)
        self._bytes = 0
        self.ready.set()


class LogTail:
    """Polls for new events of a campaign while it has watchers: often while events arrive, less and less often if not.

    Subscribers that have joined were offered every event up to `position`, and none after it.
    """

    def __init__(
        self,
        poll: Callable[[Position], Awaitable[LogPage]],
        end: Callable[[], Awaitable[Position]],
        on_empty: Callable[["LogTail"], None],
        limits: WatchLimits,
    ) -> None:
        self.position: Position | None = None
        self.started = asyncio.Event()
        self.watchers: set[Subscriber] = set()
        self._joined: tuple[Subscriber, ...] = ()
        self._poll = poll
        self._end = end
        self._on_empty = on_empty
        self._limits = limits
        self.task = asyncio.get_running_loop().create_task(self._run(), context=nobodys_context())

    def join(self, subscriber: Subscriber) -> Position:
        """Offers the subscriber all events from now on; returns the position after which they start."""
        assert self.position is not None
        self._joined += (subscriber,)
        return self.position

    def leave(self, subscriber: Subscriber) -> None:
        """Removes a subscriber; stops the tail when the last one has left."""
        if subscriber not in self.watchers:
            return
        self.watchers.discard(subscriber)
        self._joined = tuple(other for other in self._joined if other is not subscriber)
        if subscriber.reading is not None:
            subscriber.reading.cancel()
        if not self.watchers:
            self._on_empty(self)
            self.task.cancel()

    def drop(self, subscriber: Subscriber, failure: Callable[[str], Exception]) -> None:
        """Removes a subscriber and ends its watch with a failure."""
        self.leave(subscriber)
        subscriber.end(failure)

    async def _run(self) -> None:
        try:
            self.position = await persistently(self._end, self._limits.patience_seconds)
            self.started.set()
            await self._follow()
        except Exception as error:
            failure = error  # Python deletes `error` at the end of the except clause
            for subscriber in tuple(self.watchers):
                self.drop(subscriber, lambda _: failure.with_traceback(None))

    async def _follow(self) -> None:
        interval = self._limits.quickest_seconds
        while True:
            await _next_tick(interval)
            interval = min(interval * 2, self._limits.slowest_seconds)
            full = True
            while full:
                page = await persistently(self._poll_once, self._limits.patience_seconds)
                await self._offer(page.events)
                self.position, full = page.position, page.full
                if page.events:
                    interval = self._limits.quickest_seconds

    async def _poll_once(self) -> LogPage:
        assert self.position is not None
        return (await self._poll(self.position)).checked()

    async def _offer(self, events: list[Event]) -> None:
        for number, event in enumerate(events, 1):
            position, size = position_of(event), size_of(event)
            for subscriber in self._joined:
                if not subscriber.offer(event, position, size):
                    self.drop(subscriber, lambda cursor: WatcherTooSlow(cursor=cursor))
            self.position = position
            if number % _EVENTS_PER_TURN == 0:
                await asyncio.sleep(0)


def size_of(event: Event) -> int:
    """Returns what an event counts while a watch holds it."""
    return EVENT_BYTES + len(msgspec.json.encode(event))


async def _next_tick(interval: float) -> None:
    """Sleeps until a multiple of the interval: tails with the same interval poll together, in one statement."""
    wait = interval - asyncio.get_running_loop().time() % interval
    # A timer may fire slightly early; without this, the next wait would end at the same tick.
    await asyncio.sleep(wait if wait > interval / 4 else wait + interval)
