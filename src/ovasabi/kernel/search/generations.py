"""Whether a campaign's data changed: each of its generations lasts until an event is committed."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import count

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.database.sql import load
from ovasabi.kernel.batching.batcher import Batcher, Limits
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.events.log import SKEW

KEEP_SECONDS = 60.0
"""After so long without a look nothing is known of a campaign any more."""
_CAMPAIGNS = 4096
_ONE_LOOK = Limits(statements=1, campaigns=16)
# Each probe of the index is for one transaction that was running, or for all later ones.
_MOST_RUNNING = 64
_LAST = str((1 << 64) - 1)
_ASTRAY = timedelta(hours=1)

_SQL = load(__file__)


class Moment(msgspec.Struct, frozen=True):
    """A state of the database: which transactions had ended, and its clock."""

    snapshot: str
    at: datetime

    @property
    def unseen(self) -> list[tuple[str, str]]:
        """The transactions that end later, as ranges: each of those that were running, and all that begin later.

        Where very many were running, all since the first of them: also some that had ended, which harms nothing.
        """
        first, begin_later, running = self.snapshot.split(":")
        each = running.split(",") if running else []
        if len(each) > _MOST_RUNNING:
            return [(first, _LAST)]
        return [*((xid, xid) for xid in each), (begin_later, _LAST)]

    def precedes(self, other: "Moment") -> bool:
        """Whether the other is a later state of the same server. One that was restored, or whose clock was set, is not:
        of its log nothing is certain."""
        begun, begun_by_then = (int(moment.snapshot.split(":")[1]) for moment in (self, other))
        return begun <= begun_by_then and abs(other.at - self.at) < _ASTRAY


class Seen(msgspec.Struct, frozen=True):
    """What the last look at a campaign saw, and when it was, by our clock."""

    generation: int
    moment: Moment
    since: float


class Generations:
    """Tells generations of campaigns apart: as long as the number is the same, no event was committed in between.

    It asks PostgreSQL each time, once for all who ask in the same moment. First whether any transaction at all has
    ended since the last look; then whether one of them wrote an event of the campaign. Transactions do not end in the
    order of their ids, so it is asked for those that the last look's snapshot did not see, and not for larger ids.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._numbers = count(1)
        self._seen: OrderedDict[int, Seen] = OrderedDict()
        self._batcher: Batcher[int, int] = Batcher(self._look, _ONE_LOOK)

    async def generation(self, campaign: int) -> int:
        """The campaign's generation, by a look that was begun after it was asked for; later ones are larger."""
        return await self._batcher.call(campaign, campaign=campaign)

    async def _look(self, campaigns: list[int]) -> list[int]:
        since, asked = self._clock(), set(campaigns)
        # Not on the connections of searches, though it needs no plan either: there it would wait behind them.
        (row,) = await read(self._database, _SQL["now"])
        now = Moment(row["snapshot"], row["at"])
        known = {campaign: seen for campaign in asked if (seen := self._recent(campaign)) and seen.moment.precedes(now)}
        changed = asked - known.keys()
        if any(seen.moment.snapshot != now.snapshot for seen in known.values()):
            now, found = await self._changed(known)
            changed |= found
        for campaign in asked:
            generation = next(self._numbers) if campaign in changed else known[campaign].generation
            self._seen[campaign] = Seen(generation, now, since)
            self._seen.move_to_end(campaign)
        while len(self._seen) > _CAMPAIGNS:
            self._seen.popitem(last=False)
        return [self._seen[campaign].generation for campaign in campaigns]

    async def _changed(self, known: dict[int, Seen]) -> tuple[Moment, set[int]]:
        """Which campaigns have events that their last looks did not see; and what this one saw."""
        ranges = [(campaign, *one) for campaign, seen in known.items() for one in seen.moment.unseen]
        campaigns, first, last = (list(part) for part in zip(*ranges, strict=True))
        (row,) = await read(
            self._database, _SQL["changed"], scope_of(*known), campaigns, first, last, list(STREAMS),
            *_months(seen.moment.at for seen in known.values()), pool=Pool.FOLLOW_INDEX,
        )  # fmt: skip
        return Moment(row["snapshot"], row["at"]), set(row["changed"])

    def _recent(self, campaign: int) -> Seen | None:
        seen = self._seen.get(campaign)
        return seen if seen is not None and self._clock() - seen.since < KEEP_SECONDS else None


def _months(looks: Iterable[datetime]) -> tuple[datetime, datetime]:
    """The time in which all events since some looks lie, and in which few months do."""
    ordered = sorted(looks)
    return ordered[0] - SKEW, ordered[-1] + SKEW
