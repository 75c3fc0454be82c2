"""One watcher of an event log: reads its own pages while it is behind, then the tail, without gaps or duplicates."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import msgspec

from ovasabi.kernel.call.context import nobodys_context
from ovasabi.kernel.events.cursors import Position, cursor_of
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_poll import FeedLag, LogPage, position_of
from ovasabi.kernel.events.log_tail import LogTail, Subscriber, TooMuchUnread, size_of

NOW = "now"
"""The cursor for the current end of the log."""


class Heartbeat(msgspec.Struct, frozen=True):
    """No event occurred for a while. Everything up to the cursor was delivered: resume from it.

    `lag_seconds` is for how long at least later events have been held back by a transaction that is still open.
    """

    cursor: str
    lag_seconds: float | None = None


class Watch(AsyncIterator[Event | Heartbeat]):
    """An iterator that ends with `aclose`, with an error, or when the task that waits for it is cancelled.

    While it is behind, it reads its own pages. At the end of the log it joins the tail and reads on to the position at
    which it joined. Meanwhile its subscriber buffers what the tail offers, and skips events that were already read.
    """

    def __init__(
        self,
        tail: LogTail,
        subscriber: Subscriber,
        after: Position | None,
        read_page: Callable[[Position], Awaitable[LogPage]],
        heartbeat_seconds: float,
        lag: FeedLag,
    ) -> None:
        self._tail = tail
        self._subscriber = subscriber
        self._read_page = read_page
        self._heartbeat_seconds = heartbeat_seconds
        self._lag = lag
        self._loop = asyncio.get_running_loop()
        self._delivered = after
        """Everything up to this position was delivered. None: it starts at the end of the log, not known yet."""
        self._read = after
        """Everything up to this position was read; `_events` has what was read but not delivered."""
        self._events: deque[tuple[Event, int]] = deque()
        self._delivering = 0
        """The size of the event that was returned last: its reader is done with it when it asks for the next one."""
        self._joined_at: Position | None = None

    @property
    def cursor(self) -> str:
        """The cursor from which to resume; `NOW` if the watch starts at the end of the log, which is not known yet."""
        return NOW if self._delivered is None else cursor_of(self._delivered)

    async def __anext__(self) -> Event | Heartbeat:
        try:
            return await self._next()
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        """Unsubscribes at once, and waits until a page that is being read has ended."""
        self._leave()
        if self._subscriber.reading is not None:
            await asyncio.wait([self._subscriber.reading])

    def __del__(self) -> None:
        # The garbage collector may run in another thread, and the loop may already be closed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_abandon, self._tail, self._subscriber)

    async def _next(self) -> Event | Heartbeat:
        self._subscriber.holding.give_back(self._delivering)
        self._delivering = 0
        # A watch from now on cannot send a heartbeat before its first cursor is known.
        deadline = None if self._delivered is None else self._loop.time() + self._heartbeat_seconds
        while (item := self._next_available()) is None:
            self._subscriber.ready.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._subscriber.ready.wait()
            except TimeoutError:
                return self._heartbeat()
        return item

    def _next_available(self) -> Event | Heartbeat | None:
        """Returns the next item that is available without waiting, or None; then the next change sets `ready`."""
        while True:
            if self._subscriber.failure is not None:
                raise self._subscriber.failure(self.cursor)
            if self._events:
                event, self._delivering = self._events.popleft()
                self._delivered = position_of(event)
                return event
            self._delivered = self._read
            if self._joined_at is not None and self._read is not None and self._read >= self._joined_at:
                return self._from_tail(self._read)
            reading = self._subscriber.reading
            if reading is None:
                self._start_reading()
            if reading is None or not reading.done():
                return None
            self._subscriber.reading = None
            if (heartbeat := self._accept(reading.result())) is not None:
                return heartbeat

    def _from_tail(self, read: Position) -> Event | None:
        while (taken := self._subscriber.take()) is not None:
            position, event, size = taken
            if position > read:
                self._delivered = self._read = position
                self._delivering = size
                return event
            self._subscriber.holding.give_back(size)
        if self._tail.position is not None:
            self._delivered = self._read = max(read, self._tail.position)
        return None

    def _start_reading(self) -> None:
        reading = _next_page(self._tail, self._read, self._read_page)
        self._subscriber.reading = self._loop.create_task(reading, context=nobodys_context())
        ready = self._subscriber.ready
        self._subscriber.reading.add_done_callback(lambda _: ready.set())

    def _accept(self, page: LogPage | None) -> Heartbeat | None:
        """Takes the events of a page; returns a heartbeat if the watch starts at the tail."""
        if page is None:
            self._delivered = self._read = self._joined_at = self._tail.join(self._subscriber)
            return self._heartbeat()
        held = self._hold(page.events)
        self._read = page.position if held == len(page.events) else position_of(page.events[held - 1])
        if held == len(page.events) and not page.full and self._joined_at is None:
            self._joined_at = self._tail.join(self._subscriber)
        return None

    def _hold(self, events: list[Event]) -> int:
        """Holds as many events of a page as there is room for, and returns their number; ends the watch if it is 0."""
        for number, event in enumerate(events):
            size = size_of(event)
            if (what := self._subscriber.holding.full(size)) is not None:
                if not number:
                    raise TooMuchUnread(what=what, cursor=self.cursor)
                return number
            self._subscriber.holding.take(size)
            self._events.append((event, size))
        return len(events)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(self.cursor, self._lag.seconds)

    def _leave(self) -> None:
        self._tail.leave(self._subscriber)
        self._subscriber.end(lambda _: StopAsyncIteration())
        self._subscriber.holding.close()
        self._events.clear()


def _abandon(tail: LogTail, subscriber: Subscriber) -> None:
    tail.leave(subscriber)
    subscriber.holding.close()


async def _next_page(
    tail: LogTail, after: Position | None, read_page: Callable[[Position], Awaitable[LogPage]]
) -> LogPage | None:
    """Returns the page after a position; None if the watch starts at the tail.

    At the position of the tail the page is empty. A position ahead of it is read as well: it may not be of this log.

    It is not a method: a reference to the watch would keep an abandoned watch alive while the page is read.
    """
    await tail.started.wait()
    assert tail.position is not None
    if after is None:
        return None
    return LogPage([], after, False) if after == tail.position else await read_page(after)
