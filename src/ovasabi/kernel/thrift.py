"""Whether it pays to keep answers: in a campaign that changes faster than its questions come again, it does not."""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
_CAMPAIGNS = 4096
_OF_ASKED = 3
"""A look costs nearly a third of a search: of so many questions one must have had a kept answer."""


class Tally(msgspec.Struct):
    """Of one generation of a campaign: for how many questions there was a look, and how many had a kept answer."""

    generation: int
    asked: int = 0
    there: int = 0
    pause: float = 0.0
    until: float = 0.0


class Thrift:
    """Leaves a campaign alone for a while after a generation that did not pay, and longer each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tallies: OrderedDict[int, Tally] = OrderedDict()

    def pays(self, campaign: int) -> bool:
        """Whether to look and to keep, as far as is known."""
        tally = self._tallies.get(campaign)
        return tally is None or self._clock() >= tally.until

    def note(self, campaign: int, generation: int, *, there: bool) -> None:
        """Notes that there was a look for an answer, and whether the answer was there."""
        tally = self._tallies.setdefault(campaign, Tally(generation))
        self._tallies.move_to_end(campaign)
        if len(self._tallies) > _CAMPAIGNS:
            self._tallies.popitem(last=False)
        if not self.pays(campaign):
            return  # of those who had asked before the pause began
        if generation > tally.generation:
            self._judge(tally)
            tally.generation, tally.asked, tally.there = generation, 0, 0
        if self.pays(campaign):
            tally.asked += 1
            tally.there += there

    def _judge(self, tally: Tally) -> None:
        """After a generation: whether it paid. What changed during a pause says nothing of what comes after it."""
        if tally.asked:
            paid = tally.there * _OF_ASKED >= tally.asked
            tally.pause = 0.0 if paid else min(max(2 * tally.pause, FIRST_PAUSE), LONGEST_PAUSE)
            tally.until = self._clock() + tally.pause
