"""One watcher of an event log: its own pages while it is behind, then the tail, without a gap or a double between."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import msgspec

from ovasabi.kernel.call.context import nobodys_context
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_poll import LogPage, Place, cursor_of, place_of
from ovasabi.kernel.events.log_tail import LogTail, Subscriber

NOW = "now"
"""The cursor of the log's present end."""


class Heartbeat(msgspec.Struct, frozen=True):
    """No event occurred for a while. Everything up to the cursor was read: resume from it."""

    cursor: str


class Watch(AsyncIterator[Event | Heartbeat]):
    """An iterator that ends by `aclose`, by an error, or when the task that waits for it is cancelled.

    One that is behind reads pages of its own. At the end of the log it joins the tail, and reads on to the place where
    it joined; what the tail offers meanwhile waits in its buffer, and is passed over where it was read already.
    """

    def __init__(
        self,
        tail: LogTail,
        subscriber: Subscriber,
        after: Place | None,
        page: Callable[[Place], Awaitable[LogPage]],
        heartbeat_seconds: float,
    ) -> None:
        self._tail = tail
        self._subscriber = subscriber
        self._page = page
        self._heartbeat_seconds = heartbeat_seconds
        self._loop = asyncio.get_running_loop()
        self._given = after
        """All before this place was given. None: it begins at the end of the log, which is not known yet."""
        self._read = after
        """All before this place was read, and what was not given yet is `_events`."""
        self._events: deque[Event] = deque()
        self._joined_at: Place | None = None

    @property
    def cursor(self) -> str:
        """Where to resume after what was given; `NOW` if the end of the log was asked for and is not known yet."""
        return NOW if self._given is None else cursor_of(self._given)

    async def __anext__(self) -> Event | Heartbeat:
        try:
            return await self._next()
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        """Frees the place at once, and waits for a page that was being read."""
        self._leave()
        if self._subscriber.reading is not None:
            await asyncio.wait([self._subscriber.reading])

    def __del__(self) -> None:
        # Whoever collects garbage may run in another thread; and the loop may be gone.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._tail.leave, self._subscriber)

    async def _next(self) -> Event | Heartbeat:
        # A watch from now is given nothing before its first cursor is known.
        deadline = None if self._given is None else self._loop.time() + self._heartbeat_seconds
        while (item := self._at_hand()) is None:
            self._subscriber.news.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._subscriber.news.wait()
            except TimeoutError:
                return Heartbeat(self.cursor)
        return item

    def _at_hand(self) -> Event | Heartbeat | None:
        """What can be given without waiting; if there is nothing, whatever comes will be news."""
        while True:
            if self._subscriber.failure is not None:
                raise self._subscriber.failure(self.cursor)
            if self._events:
                event = self._events.popleft()
                self._given = place_of(event)
                return event
            self._given = self._read
            if self._joined_at is not None and self._read is not None and self._read >= self._joined_at:
                return self._from_tail(self._read)
            reading = self._subscriber.reading
            if reading is None:
                self._read_on()
            if reading is None or not reading.done():
                return None
            self._subscriber.reading = None
            if (begin := self._turn(reading.result())) is not None:
                return begin

    def _from_tail(self, read: Place) -> Event | None:
        while (taken := self._subscriber.take()) is not None:
            place, event = taken
            if place > read:
                self._given = self._read = place
                return event
        if self._tail.place is not None:
            self._given = self._read = max(read, self._tail.place)
        return None

    def _read_on(self) -> None:
        reading = _read_on(self._tail, self._read, self._page)
        self._subscriber.reading = self._loop.create_task(reading, context=nobodys_context())
        news = self._subscriber.news
        self._subscriber.reading.add_done_callback(lambda _: news.set())

    def _turn(self, page: LogPage | None) -> Heartbeat | None:
        """Takes a page over; a heartbeat if the watch begins here, at the tail."""
        if page is None:
            self._given = self._read = self._joined_at = self._tail.join(self._subscriber)
            return Heartbeat(self.cursor)
        self._events.extend(page.events)
        self._read = page.place
        if not page.full and self._joined_at is None:
            self._joined_at = self._tail.join(self._subscriber)
        return None

    def _leave(self) -> None:
        self._tail.leave(self._subscriber)
        self._subscriber.end(lambda _: StopAsyncIteration())


async def _read_on(tail: LogTail, after: Place | None, page: Callable[[Place], Awaitable[LogPage]]) -> LogPage | None:
    """The page after a place, empty if the tail reads on from there; None if the watch begins at the tail.

    It knows nothing of the watch, so that one that was let go is not kept by what it reads.
    """
    await tail.started.wait()
    assert tail.place is not None
    if after is None:
        return None
    return LogPage([], after, False) if after >= tail.place else await page(after)
