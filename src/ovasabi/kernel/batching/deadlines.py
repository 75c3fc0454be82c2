"""Ends waits at their deadlines, with one timer for all that end in the same tick: a timer for each is expensive."""

import asyncio
from math import ceil
from typing import Protocol

import msgspec

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


def _expire(moment: Moment) -> None:
    for waiting in _ticks.pop(moment).waiting:
        waiting.expire()
