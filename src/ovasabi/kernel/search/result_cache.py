"""Answers that are kept, and given again as long as nothing has happened in their campaign: never a stale one."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import msgspec

from ovasabi.database.connection import Database
from ovasabi.kernel.batching.batcher import mergeable
from ovasabi.kernel.batching.single_flight import SingleFlight
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.search.generations import KEEP_SECONDS, Generations

T = TypeVar("T")
MOST_BYTES = 16 << 20
EACH_BYTES = 1 << 10
"""What an answer counts besides its size as JSON: one that is empty takes memory too."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
_CAMPAIGNS = 4096
_OF_ASKED = 3
"""A look costs nearly a third of a search: of so many questions one must have had a kept answer."""
_REMEMBERED = 8192
_encoder = msgspec.json.Encoder()


class Kept(msgspec.Struct, frozen=True):
    """An answer, the campaign's generation that was known before it was looked for, and since when it is kept."""

    generation: int
    answer: Any
    since: float
    size: int


class Repeats:
    """Which questions came before, roughly: it remembers the last some thousands, and of each its hash alone."""

    def __init__(self) -> None:
        self._lately: set[int] = set()
        self._before: set[int] = set()

    def again(self, question: Hashable) -> bool:
        """Whether it came before; from now on it did."""
        mark = hash(question)
        known = mark in self._lately or mark in self._before
        self._lately.add(mark)
        if len(self._lately) >= _REMEMBERED:
            self._lately, self._before = set(), self._lately
        return known


class Answers:
    """Answers by campaign and question, those that were used last; so many bytes of them as they may take."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.bytes = 0
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, place: Hashable) -> Kept | None:
        """What is kept there, if it is not too old. It is the last to leave now."""
        kept = self._kept.get(place)
        if kept is None:
            return None
        if self._clock() - kept.since >= KEEP_SECONDS:
            self._drop(place)
            return None
        self._kept.move_to_end(place)
        return kept

    def put(self, place: Hashable, generation: int, answer: Any, since: float) -> None:
        """Keeps an answer in the place of an older one; those that were not used for longest make room."""
        before = self._kept.get(place)
        if before is not None and before.generation > generation:
            return
        same = before is not None and before.answer is answer  # of callers who shared it: measured already
        size = before.size if same and before is not None else EACH_BYTES + len(_encoder.encode(answer))
        if before is not None:
            self._drop(place)
        if size > self._most_bytes:
            return
        self._kept[place] = Kept(generation, answer, since, size)
        self.bytes += size
        while self.bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, place: Hashable) -> None:
        self.bytes -= self._kept.pop(place).size


class Tally(msgspec.Struct):
    """Of one generation of a campaign: for how many questions there was a look, and how many had a kept answer."""

    generation: int
    asked: int = 0
    there: int = 0
    pause: float = 0.0
    until: float = 0.0


class CacheAdmission:
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


class ResultCache:
    """Keeps answers that follow from a campaign's own entities alone, and gives them again after a look at its events.

    An answer is as good as a new one: what was committed before a caller asked is in what it is given, whichever
    process wrote it. A question that comes for the first time pays nothing: there is no look, and its answer is let go,
    so that the many questions that never come again push nothing out. Where events come faster than questions come
    again, it leaves off for a while. Answers are shared, so nobody may change them. What changes entities without an
    event is seen after `KEEP_SECONDS` at most.
    """

    def __init__(
        self, database: Database, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.answers = Answers(most_bytes, clock)
        self._most_bytes = most_bytes
        self._clock = clock
        self._repeats = Repeats()
        self._admission = CacheAdmission(clock)
        self._changes = Generations(database, clock)
        self._single_flight = SingleFlight()

    async def answer(self, question: Hashable, campaign: int, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of `ask`, now or lately. The question says all on which the answer depends, but the campaign.

        Within a transaction or under a lease it is always asked. So it is on the platform, where an answer may tell of
        every campaign.
        """
        place = (campaign, question)
        alone = not mergeable() or campaign == PLATFORM or not self._most_bytes
        if alone or not self._repeats.again(place) or not self._admission.pays(campaign):
            return await self._single_flight.answer(question, campaign, ask)
        generation = await self._changes.generation(campaign)
        kept = self.answers.get(place)
        there = kept is not None and kept.generation >= generation
        self._admission.note(campaign, generation, there=there)
        if kept is not None and there:
            found: T = kept.answer
            return found
        since = self._clock()
        answer = await self._single_flight.answer(question, campaign, ask)
        self.answers.put(place, generation, answer, since)
        return answer
