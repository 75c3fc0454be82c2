"""Ends waits at their deadlines, with one timer for all that end in the same tick: a timer for each is expensive."""

import asyncio
from collections.abc import Coroutine
from math import ceil
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ovasabi.errors import DeadlineExceeded

T = TypeVar("T")

TICK_SECONDS = 0.01
"""How long after its deadline a wait may end."""


class Waiting(Protocol):
    """A wait that can expire."""

    def expire(self) -> None:
        """Ends the wait."""


class Tick(msgspec.Struct, eq=False):
    """The waits that end at the same time."""

    timer: asyncio.TimerHandle
    waiting: set[Waiting]


Moment = tuple[asyncio.AbstractEventLoop, int]
_ticks: dict[Moment, Tick] = {}
_cancelled: "set[asyncio.Task[Any]]" = set()
"""Tasks that nobody waits for any more: the event loop itself holds them only weakly."""


def expire_at(deadline: float, waiting: Waiting) -> Moment:
    """Ends a wait at a deadline on the event loop's clock, in seconds, unless `forget` is called before."""
    loop = asyncio.get_running_loop()
    moment = (loop, ceil(deadline / TICK_SECONDS))
    tick = _ticks.get(moment)
    if tick is None:
        timer = loop.call_at(moment[1] * TICK_SECONDS, _expire, moment)
        tick = _ticks[moment] = Tick(timer, set())
    tick.waiting.add(waiting)
    return moment


def forget(moment: Moment, waiting: Waiting) -> None:
    """Removes a wait that is over."""
    tick = _ticks.get(moment)
    if tick is None:
        return
    tick.waiting.discard(waiting)
    if not tick.waiting:
        tick.timer.cancel()
        del _ticks[moment]


async def ending_at(deadline: float, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of some work; raises `DeadlineExceeded` at the deadline, whatever the work is waiting for.

    The work is then cancelled, but not waited for: to roll back, it may need a database that does not respond.
    """
    waiting = _Work(asyncio.get_running_loop().create_task(work))
    moment = expire_at(deadline, waiting)
    try:
        return await waiting.result
    except asyncio.CancelledError:
        waiting.task.cancel()
        raise
    finally:
        forget(moment, waiting)
        # It holds the error, whose traceback holds this frame and with it all of the call, until a full collection.
        del waiting


class _Work(Generic[T]):
    """Work in a task of its own."""

    def __init__(self, task: "asyncio.Task[T]") -> None:
        self.task = task
        self.result: asyncio.Future[T] = task.get_loop().create_future()
        task.add_done_callback(self._done)

    def expire(self) -> None:
        """Ends the wait for the work, and the work as soon as it can end."""
        if not self.result.done():
            self.result.set_exception(DeadlineExceeded())
            _cancelled.add(self.task)
            self.task.cancel()

    def _done(self, task: "asyncio.Task[T]") -> None:
        _cancelled.discard(task)
        error = None if task.cancelled() else task.exception()
        if self.result.done():
            return
        if task.cancelled():
            self.result.cancel()
        elif error is not None:
            self.result.set_exception(error)
        else:
            self.result.set_result(task.result())


def _expire(moment: Moment) -> None:
    for waiting in _ticks.pop(moment).waiting:
        waiting.expire()
