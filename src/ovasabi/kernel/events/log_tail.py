"""The tail of one campaign's event log: read once, and handed to every watcher of the campaign in the process."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import nobodys_context
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_poll import LogPage, Place, persistently, place_of

# Between so many events, others get their turn: each event is offered to every watcher of the campaign.
_AT_ONCE = 32


class WatchLimits(msgspec.Struct, frozen=True):
    """How many may watch in a process, how much waits for each of them, how often and for how long the log is tried."""

    watchers: int = 1000
    watchers_per_campaign: int = 250
    events: int = 4096
    bytes: int = 4 << 20
    page: int = 256
    patience_seconds: float = 60.0
    quickest_seconds: float = 0.05
    slowest_seconds: float = 0.5


class WatcherTooSlow(OvasabiError):
    """The buffer of a watcher was full, and its contents were discarded. Resume after the last event received."""

    kind = Kind.EXHAUSTED
    code = "watcher_too_slow"
    message = "The watcher did not keep up with the events and was disconnected. Resume from the cursor {cursor}."
    hint = "Watch again from this cursor; read faster, or watch fewer types."
    example = such_as(cursor="4711-890616592048128")

    @property
    def cursor(self) -> str:
        """Where to resume."""
        return str(self.values["cursor"])


class Subscriber:
    """What a tail knows of one watcher: what it wants, and its buffer. `news` is set when there is something to do."""

    def __init__(self, types: frozenset[str] | None, entity_id: int | None, limits: WatchLimits) -> None:
        self.news = asyncio.Event()
        self.failure: Callable[[str], Exception] | None = None
        self.reading: asyncio.Task[LogPage | None] | None = None
        self._types = types
        self._entity_id = entity_id
        self._limits = limits
        self._buffer: deque[tuple[Place, int, Event]] = deque()
        self._bytes = 0

    def offer(self, event: Event, place: Place, size: int) -> bool:
        """Buffers an event if it is wanted; false if there is no room for it. One event has room, however large."""
        if self._types is not None and event.type not in self._types:
            return True
        if self._entity_id is not None and event.master_id != self._entity_id:
            return True
        full = len(self._buffer) >= self._limits.events or self._bytes + size > self._limits.bytes
        if full and self._buffer:
            return False
        self._buffer.append((place, size, event))
        self._bytes += size
        self.news.set()
        return True

    def take(self) -> tuple[Place, Event] | None:
        """The next event, if there is one."""
        if not self._buffer:
            return None
        place, size, event = self._buffer.popleft()
        self._bytes -= size
        return place, event

    def end(self, failure: Callable[[str], Exception]) -> None:
        """Lets go what is buffered; the watcher gets the failure, made with the cursor from which to resume."""
        self.failure = failure
        self._buffer.clear()
        self._bytes = 0
        self.news.set()


class LogTail:
    """Looks for new events of a campaign while it has watchers: often while events come, else less and less often.

    All that lies before `place` was offered to the seats that joined, and nothing that lies after it.
    """

    def __init__(
        self,
        look: Callable[[Place], Awaitable[LogPage]],
        end: Callable[[], Awaitable[Place]],
        left: Callable[["LogTail"], None],
        limits: WatchLimits,
    ) -> None:
        self.place: Place | None = None
        self.started = asyncio.Event()
        self.watchers: set[Subscriber] = set()
        self._joined: tuple[Subscriber, ...] = ()
        self._look = look
        self._end = end
        self._left = left
        self._limits = limits
        self.task = asyncio.get_running_loop().create_task(self._run(), context=nobodys_context())

    def join(self, subscriber: Subscriber) -> Place:
        """Offers a seat all that comes after the place that is answered."""
        assert self.place is not None
        self._joined += (subscriber,)
        return self.place

    def leave(self, subscriber: Subscriber) -> None:
        """Frees a seat's place, and stops when it was the last."""
        if subscriber not in self.watchers:
            return
        self.watchers.discard(subscriber)
        self._joined = tuple(other for other in self._joined if other is not subscriber)
        if subscriber.reading is not None:
            subscriber.reading.cancel()
        if not self.watchers:
            self._left(self)
            self.task.cancel()

    def drop(self, subscriber: Subscriber, failure: Callable[[str], Exception]) -> None:
        """Tells a watcher why it is given no more, and frees its place."""
        self.leave(subscriber)
        subscriber.end(failure)

    async def _run(self) -> None:
        try:
            self.place = await persistently(self._end, self._limits.patience_seconds)
            self.started.set()
            await self._follow()
        except Exception as error:
            failure = error  # the name of an except clause does not outlive it
            for subscriber in tuple(self.watchers):
                self.drop(subscriber, lambda _: failure.with_traceback(None))

    async def _follow(self) -> None:
        interval = self._limits.quickest_seconds
        while True:
            await _next_tick(interval)
            interval = min(interval * 2, self._limits.slowest_seconds)
            full = True
            while full:
                seen = await persistently(self._ask, self._limits.patience_seconds)
                await self._offer(seen.events)
                self.place, full = seen.place, seen.full
                if seen.events:
                    interval = self._limits.quickest_seconds

    async def _ask(self) -> LogPage:
        assert self.place is not None
        return await self._look(self.place)

    async def _offer(self, events: list[Event]) -> None:
        for number, event in enumerate(events, 1):
            place, size = place_of(event), len(msgspec.json.encode(event))
            for subscriber in self._joined:
                if not subscriber.offer(event, place, size):
                    self.drop(subscriber, lambda cursor: WatcherTooSlow(cursor=cursor))
            self.place = place
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)


async def _next_tick(interval: float) -> None:
    """Sleeps until a multiple of the interval: tails with the same interval look together, in one statement."""
    wait = interval - asyncio.get_running_loop().time() % interval
    # A timer may fire a little early: that would be the same tick again.
    await asyncio.sleep(wait if wait > interval / 4 else wait + interval)
