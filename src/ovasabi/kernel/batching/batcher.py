"""Lanes: concurrent calls of one kind become one statement over all of them, without a timer."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from ovasabi.database.retry import Condition, left_to, taken_over
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, Kind, OvasabiError
from ovasabi.kernel.batching.deadlines import expire_at, forget
from ovasabi.kernel.call.context import current_or_none, nobodys_context, remaining
from ovasabi.kernel.call.transaction import in_transaction

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Limits(msgspec.Struct, frozen=True):
    """How much goes into one statement, how many run at once, and how much may wait."""

    statements: int = 2
    rows: int = 128
    campaigns: int = 128
    bytes: int = 1 << 20
    waiting_rows: int = 4096
    waiting_bytes: int = 64 << 20
    patience_seconds: float = 30.0


class Overloaded(OvasabiError):
    """More calls wait for the database than may wait."""

    kind = Kind.EXHAUSTED
    code = "overloaded"
    message = "More calls are waiting for the database than it can take just now."
    hint = "Try again in a moment, with fewer calls at a time."


class Call(msgspec.Struct, Generic[Item], eq=False):
    """One caller's row. Of calls with the same target only one is under way at a time, in order of arrival.

    It waits to be sent `until` its caller's deadline, or patience, ends. `tried_again` says which failures the caller
    tries again itself.
    """

    item: Item
    campaign: int
    size: int
    target: Hashable
    until: float
    answer: "asyncio.Future[Any]"
    tried_again: Condition | None
    expired: bool = False

    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.expired or self.answer.cancelled()

    def expire(self) -> None:
        """Tells the caller that its time is used up."""
        if not self.answer.done():
            self.expired = True
            self.answer.set_exception(DeadlineExceeded())


class Queue(msgspec.Struct, Generic[Item], eq=False):
    """A campaign's waiting calls in order, and how large they are together."""

    calls: deque[Call[Item]] = msgspec.field(default_factory=deque)
    bytes: int = 0


class Batcher(Generic[Item, Answer]):
    """Merges calls into statements: `run` answers each item of a batch, or gives the error of that item alone.

    An idle lane starts at once, with what was asked in the same moment; while its statements are under way, the next
    batch gathers. It takes from each campaign in turn. A caller is answered when its row's statement is done; one who
    goes away is left out if it still waits, and a statement all of whose callers went away is cancelled.

    A caller's deadline ends the caller's wait, and is no matter of the others: it goes away then. The statement itself
    has the time that the session gives to every statement.
    """

    def __init__(self, run: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]], limits: Limits) -> None:
        self._run = run
        self._limits = limits
        self._queues: OrderedDict[int, Queue[Item]] = OrderedDict()
        self._rows = 0
        self._bytes = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._targets: set[Hashable] = set()
        self._starting = False
        self._context = nobodys_context()

    @property
    def idle(self) -> bool:
        """Whether nobody waits and no statement is under way."""
        return not self._queues and not self._under_way

    async def call(self, item: Item, *, campaign: int, size: int = 0, target: Hashable = None) -> Answer:
        """The answer for one item, `size` bytes large; `DeadlineExceeded` when the caller's time is used up."""
        loop = asyncio.get_running_loop()
        patience, left = self._limits.patience_seconds, remaining()
        until = loop.time() + (patience if left is None else min(left, patience))
        queue = self._admit(campaign, size)
        call = Call(item, campaign, size, target, until, loop.create_future(), taken_over())
        queue.calls.append(call)
        if not self._starting and len(self._under_way) < self._limits.statements:
            self._starting = True
            loop.call_soon(self._start)
        answer: Answer = await (call.answer if left is None else _until(loop.time() + left, call))
        return answer

    async def settled(self) -> None:
        """Waits until no statement is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _admit(self, campaign: int, size: int) -> Queue[Item]:
        queue = self._queues.get(campaign) or Queue()
        full = self._rows >= self._limits.waiting_rows or self._bytes + size > self._limits.waiting_bytes
        # Half of the room is the most that one campaign gets, but for a single large call: another finds some.
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
        while len(self._under_way) < self._limits.statements and (batch := self._take()):
            self._targets.update(call.target for call in batch if call.target is not None)
            task = asyncio.get_running_loop().create_task(self._serve(batch), context=self._context.copy())
            self._under_way.add(task)
            _cancel_when_all_left(task, batch)

    def _take(self) -> list[Call[Item]]:
        """The next batch: one call of each campaign in turn. Those whose target is under way stay, in their order."""
        batch: list[Call[Item]] = []
        size = 0
        fresh, turn = iter(self._queues), deque[int]()
        held: dict[int, deque[Call[Item]]] = {}
        served: set[int] = set()
        targets = set(self._targets)
        while len(batch) < self._limits.rows and size < self._limits.bytes:
            # Campaigns that have nothing to go just now are passed over: they do not count, nor stop those behind them.
            campaign = next(fresh, None) if len(served) < self._limits.campaigns else None
            if campaign is None:
                if not turn:
                    break
                campaign = turn.popleft()
            call = self._next(self._queues[campaign], held.setdefault(campaign, deque()), targets)
            if call is None:
                continue
            turn.append(campaign)
            served.add(campaign)
            batch.append(call)
            size += call.size
            if call.target is not None:
                targets.add(call.target)
        self._put_back(held, served)
        return batch

    def _put_back(self, held: dict[int, deque[Call[Item]]], served: set[int]) -> None:
        """What was passed over comes first of its campaign, and campaigns that were served come last."""
        for campaign, calls in held.items():
            queue = self._queues[campaign]
            calls.extend(queue.calls)
            queue.calls = calls
            if not calls:
                del self._queues[campaign]
            elif campaign in served:
                self._queues.move_to_end(campaign)

    def _next(self, queue: Queue[Item], held: deque[Call[Item]], targets: set[Hashable]) -> Call[Item] | None:
        now = asyncio.get_running_loop().time()
        while queue.calls:
            call = queue.calls.popleft()
            if call.target is not None and call.target in targets and not call.answer.done():
                held.append(call)
                continue
            self._rows -= 1
            self._bytes -= call.size
            queue.bytes -= call.size
            if call.answer.done():
                continue
            if call.until > now:
                return call
            call.answer.set_exception(DeadlineExceeded())
        return None

    async def _serve(self, batch: list[Call[Item]]) -> None:
        try:
            with left_to(call.tried_again for call in batch):
                answers = await self._run([call.item for call in batch])
            for call, answer in zip(batch, answers, strict=True):
                _settle(call, answer)
        except asyncio.CancelledError:
            for call in batch:
                _settle(call, DatabaseUnavailable(reason="the statement was cancelled"))
        except Exception as error:
            for call in batch:
                _settle(call, error)
        finally:
            self._targets.difference_update(call.target for call in batch)
            task = asyncio.current_task()
            assert task is not None
            self._under_way.discard(task)
            self._start()


def mergeable() -> bool:
    """Whether a call may share a statement: not within a transaction or under a lease, which bind all of it."""
    context = current_or_none()
    return context is not None and context.fence is None and not in_transaction()


async def _until(deadline: float, call: Call[Any]) -> Any:
    """The answer, if it comes before the caller's deadline."""
    moment = expire_at(deadline, call)
    try:
        return await call.answer
    finally:
        forget(moment, call)


def _settle(call: Call[Any], answer: Any) -> None:
    if call.answer.done():
        return
    if isinstance(answer, Exception):
        call.answer.set_exception(answer)
    else:
        call.answer.set_result(answer)


def _cancel_when_all_left(task: "asyncio.Task[None]", batch: list[Call[Any]]) -> None:
    staying = len(batch)

    def ended(call: Call[Any], _: "asyncio.Future[Any]") -> None:
        nonlocal staying
        staying -= call.left
        if not staying:
            task.cancel()

    for call in batch:
        call.answer.add_done_callback(partial(ended, call))
