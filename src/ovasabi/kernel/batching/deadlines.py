"""Ending waits at their deadlines: one timer for all that end in the same moment, since a timer for each is dear."""

import asyncio
from math import ceil
from typing import Protocol

import msgspec

TICK_SECONDS = 0.01
"""How much later than its deadline a wait may end."""


class Waiting(Protocol):
    """What waits for something, and for so long only."""

    def expire(self) -> None:
        """Ends the wait."""


class Tick(msgspec.Struct, eq=False):
    """What ends in the same moment."""

    timer: asyncio.TimerHandle
    waiting: set[Waiting]


Moment = tuple[asyncio.AbstractEventLoop, int]
_ticks: dict[Moment, Tick] = {}


def expire_at(deadline: float, waiting: Waiting) -> Moment:
    """Ends a wait at a deadline, in seconds of the loop's clock, unless it is over before: see `forget`."""
    loop = asyncio.get_running_loop()
    moment = (loop, ceil(deadline / TICK_SECONDS))
    tick = _ticks.get(moment)
    if tick is None:
        timer = loop.call_at(moment[1] * TICK_SECONDS, _expire, moment)
        tick = _ticks[moment] = Tick(timer, set())
    tick.waiting.add(waiting)
    return moment


def forget(moment: Moment, waiting: Waiting) -> None:
    """Says that a wait is over."""
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
