"""Batching: merges concurrent calls of one kind into one statement for all of them, without a timer."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from ovasabi.database.deadlines import expire_at, forget
from ovasabi.database.failures import is_locked
from ovasabi.database.retry import Condition, left_to, taken_over
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, Kind, OvasabiError
from ovasabi.kernel.call.context import current_or_none, nobodys_context, remaining
from ovasabi.kernel.call.transaction import in_transaction

Item = TypeVar("Item")
Result = TypeVar("Result")


class Limits(msgspec.Struct, frozen=True):
    """How much goes into one statement, how many statements run at once, and how much may wait."""

    statements: int = 2
    rows: int = 128
    campaigns: int = 128
    bytes: int = 1 << 20
    waiting_rows: int = 4096
    waiting_bytes: int = 64 << 20
    patience_seconds: float = 30.0


class Overloaded(OvasabiError):
    """Too many calls are waiting for the database."""

    kind = Kind.EXHAUSTED
    code = "overloaded"
    message = "Too many calls are waiting for the database."
    hint = "Try again shortly, with fewer concurrent calls."


class Call(msgspec.Struct, Generic[Item], eq=False):
    """One caller's item in a batch. Calls with the same target run one at a time, in order of arrival.

    A call waits to be sent until `expires_at`: its caller's deadline, or the end of the batcher's patience. `retried`
    says which failures the caller retries itself.
    """

    item: Item
    campaign: int
    size: int
    target: Hashable
    expires_at: float
    result: "asyncio.Future[Any]"
    retried: Condition | None
    expired: bool = False

    @property
    def abandoned(self) -> bool:
        """Whether the caller no longer waits for the result."""
        return self.expired or self.result.cancelled()

    def expire(self) -> None:
        """Ends the caller's wait with `DeadlineExceeded`."""
        if not self.result.done():
            self.expired = True
            self.result.set_exception(DeadlineExceeded())


Attempt = Callable[[], Awaitable[Any]]
LaterOn = Callable[[Any, Exception, Attempt, Callable[[], bool]], Awaitable[Any]]
"""Returns the result of an item that is locked, and its error: by further attempts, while the result is wanted."""


class Queue(msgspec.Struct, Generic[Item], eq=False):
    """A campaign's waiting calls in order, and their total size."""

    calls: deque[Call[Item]] = msgspec.field(default_factory=deque)
    bytes: int = 0


class Batcher(Generic[Item, Result]):
    """Merges calls into statements: `run` returns, for each item of a batch, its result or its error.

    An idle batcher starts immediately, with the calls that arrived at the same moment. While its statements run, the
    next batch fills up, with calls taken from each campaign in turn. A caller gets its result when its statement is
    done. A call whose caller has gone is dropped if it is still waiting, and a statement is cancelled when all of its
    callers have gone.

    A caller's deadline ends only that caller's wait and does not affect the others. The statement itself has the time
    limit that the session sets for every statement.

    An item that another transaction holds locked leaves its statement: `later_on` returns its result, beside the
    statements of the others. Until then its target remains busy.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        limits: Limits,
        later_on: LaterOn | None = None,
    ) -> None:
        self._run = run
        self._later_on = later_on
        self._later: set[asyncio.Task[None]] = set()
        self._limits = limits
        self._queues: OrderedDict[int, Queue[Item]] = OrderedDict()
        self._rows = 0
        self._bytes = 0
        self._running: set[asyncio.Task[None]] = set()
        self._targets: set[Hashable] = set()
        self._starting = False
        self._context = nobodys_context()

    @property
    def idle(self) -> bool:
        """Whether no call is waiting and no statement is running."""
        return not self._queues and not self._running and not self._later

    async def call(self, item: Item, *, campaign: int, size: int = 0, target: Hashable = None) -> Result:
        """Returns the result for one item of `size` bytes; raises `DeadlineExceeded` at the caller's deadline."""
        loop = asyncio.get_running_loop()
        patience, time_left = self._limits.patience_seconds, remaining()
        expires_at = loop.time() + (patience if time_left is None else min(time_left, patience))
        queue = self._admit(campaign, size)
        call = Call(item, campaign, size, target, expires_at, loop.create_future(), taken_over())
        queue.calls.append(call)
        if not self._starting and len(self._running) < self._limits.statements:
            self._starting = True
            loop.call_soon(self._start)
        result: Result = await (call.result if time_left is None else _until(loop.time() + time_left, call))
        return result

    async def settled(self) -> None:
        """Waits until no statement is running."""
        while running := self._running | self._later:
            await asyncio.wait(running)

    def _admit(self, campaign: int, size: int) -> Queue[Item]:
        queue = self._queues.get(campaign) or Queue()
        full = self._rows >= self._limits.waiting_rows or self._bytes + size > self._limits.waiting_bytes
        # One campaign may fill at most half of the capacity (except by a single large call), so others find some.
        large = bool(queue.calls) and queue.bytes + size > self._limits.waiting_bytes // 2
        if full or large or len(queue.calls) >= max(1, self._limits.waiting_rows // 2):
            raise Overloaded
        self._rows += 1
        self._bytes += size
        queue.bytes += size
        self._queues[campaign] = queue
        return queue

    def _start(self) -> None:
        self._starting = False
        while len(self._running) < self._limits.statements and (batch := self._take()):
            self._targets.update(call.target for call in batch if call.target is not None)
            task = asyncio.get_running_loop().create_task(self._serve(batch), context=self._context.copy())
            self._running.add(task)
            _cancel_when_all_abandoned(task, batch)

    def _take(self) -> list[Call[Item]]:
        """Takes the next batch: one call of each campaign in turn. Calls whose target is busy stay queued, in order."""
        batch: list[Call[Item]] = []
        size = 0
        not_visited, to_revisit = iter(self._queues), deque[int]()
        skipped: dict[int, deque[Call[Item]]] = {}
        served: set[int] = set()
        targets = set(self._targets)
        while len(batch) < self._limits.rows and size < self._limits.bytes:
            # A campaign with nothing to send now does not count towards the limit and does not block those behind it.
            campaign = next(not_visited, None) if len(served) < self._limits.campaigns else None
            if campaign is None:
                if not to_revisit:
                    break
                campaign = to_revisit.popleft()
            call = self._next(self._queues[campaign], skipped.setdefault(campaign, deque()), targets)
            if call is None:
                continue
            to_revisit.append(campaign)
            served.add(campaign)
            batch.append(call)
            size += call.size
            if call.target is not None:
                targets.add(call.target)
        self._put_back(skipped, served)
        return batch

    def _put_back(self, skipped: dict[int, deque[Call[Item]]], served: set[int]) -> None:
        """Puts skipped calls back at the front of their queues, and moves campaigns that were served to the end."""
        for campaign, calls in skipped.items():
            queue = self._queues[campaign]
            calls.extend(queue.calls)
            queue.calls = calls
            if not calls:
                del self._queues[campaign]
            elif campaign in served:
                self._queues.move_to_end(campaign)

    def _next(self, queue: Queue[Item], skipped: deque[Call[Item]], targets: set[Hashable]) -> Call[Item] | None:
        now = asyncio.get_running_loop().time()
        while queue.calls:
            call = queue.calls.popleft()
            if call.target is not None and call.target in targets and not call.result.done():
                skipped.append(call)
                continue
            self._rows -= 1
            self._bytes -= call.size
            queue.bytes -= call.size
            if call.result.done():
                continue
            if call.expires_at > now:
                return call
            call.result.set_exception(DeadlineExceeded())
        return None

    async def _serve(self, batch: list[Call[Item]]) -> None:
        done = batch
        try:
            with left_to(call.retried for call in batch):
                results = await self._run([call.item for call in batch])
            if self._later_on is not None and any(map(is_locked, results)):
                done = self._without_locked(batch, results)
            for call, result in zip(batch, results, strict=True):
                if done is batch or not is_locked(result):
                    _settle(call, result)
        except asyncio.CancelledError:
            for call in batch:
                _settle(call, DatabaseUnavailable(reason="the statement was cancelled"))
        except Exception as error:
            for call in batch:
                _settle(call, error)
        finally:
            self._targets.difference_update(call.target for call in done)
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)
            self._start()

    def _without_locked(self, batch: list[Call[Item]], results: Sequence[Result | Exception]) -> list[Call[Item]]:
        """Leaves the calls that are locked to tasks of their own; returns the others."""
        done: list[Call[Item]] = []
        for call, result in zip(batch, results, strict=True):
            if not isinstance(result, Exception) or not is_locked(result):
                done.append(call)
                continue
            task = asyncio.get_running_loop().create_task(self._serve_later(call, result), context=self._context.copy())
            self._later.add(task)
            task.add_done_callback(self._later.discard)
        return done

    async def _serve_later(self, call: Call[Item], error: Exception) -> None:
        async def attempt() -> Result | Exception:
            (result,) = await self._run([call.item])
            return result

        assert self._later_on is not None
        try:
            with left_to([call.retried]):
                _settle(call, await self._later_on(call.item, error, attempt, lambda: not call.result.done()))
        except asyncio.CancelledError:
            _settle(call, DatabaseUnavailable(reason="the statement was cancelled"))
        except Exception as failure:
            _settle(call, failure)
        finally:
            self._targets.discard(call.target)
            self._start()


def mergeable() -> bool:
    """Returns whether the call may share a statement: not in a transaction or under a lease, which bind all of it."""
    context = current_or_none()
    return context is not None and context.fence is None and not in_transaction()


async def _until(deadline: float, call: Call[Any]) -> Any:
    """Returns the result if it arrives before the caller's deadline."""
    moment = expire_at(deadline, call)
    try:
        return await call.result
    finally:
        forget(moment, call)


def _settle(call: Call[Any], result: Any) -> None:
    if call.result.done():
        return
    if isinstance(result, Exception):
        call.result.set_exception(result)
    else:
        call.result.set_result(result)


def _cancel_when_all_abandoned(task: "asyncio.Task[None]", batch: list[Call[Any]]) -> None:
    waiting = len(batch)

    def ended(call: Call[Any], _: "asyncio.Future[Any]") -> None:
        nonlocal waiting
        waiting -= call.abandoned
        if not waiting:
            task.cancel()

    for call in batch:
        call.result.add_done_callback(partial(ended, call))
