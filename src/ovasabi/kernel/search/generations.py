"""Detects whether a campaign's data has changed: a generation of it lasts until an event is committed."""

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
from ovasabi.kernel.events.cursors import packed
from ovasabi.kernel.events.log import SKEW

MAX_AGE_SECONDS = 60.0
"""A campaign that was not polled for this long starts a new generation."""
_MAX_CAMPAIGNS = 4096
_POLL_LIMITS = Limits(statements=1, campaigns=16)
# Each range takes a probe of the index: one for each transaction that was running, and one for all later ones.
_MAX_RUNNING = 64
_MAX_XID = str((1 << 64) - 1)
_MAX_CLOCK_CHANGE = timedelta(hours=1)

_SQL = load(__file__)


class Moment(msgspec.Struct, frozen=True):
    """A moment of the database: the snapshot of the transactions that had ended, the time, and the log's epoch.

    The epoch may be an earlier one, as far as it was known: then all later transactions count as unseen.
    """

    snapshot: str
    at: datetime
    epoch: int = 0

    @property
    def unseen(self) -> list[tuple[str, str]]:
        """Ranges of the positions of transactions that had not ended: each that was running, and all later ones.

        If very many were running, one range covers all since the first of them. It includes some that had ended, so a
        change may be reported again, which is harmless.
        """
        first_running, next_xid, running = self.snapshot.split(":")
        xids = [self._position(xid) for xid in running.split(",")] if running else []
        if len(xids) > _MAX_RUNNING:
            return [(self._position(first_running), _MAX_XID)]
        return [*((xid, xid) for xid in xids), (self._position(next_xid), _MAX_XID)]

    def precedes(self, other: "Moment") -> bool:
        """Returns whether the other is a later moment of the same server.

        If the server was restored from a backup, or its clock was changed, it is not: its log may have changed too.
        """
        next_xid, other_next_xid = (int(moment.snapshot.split(":")[1]) for moment in (self, other))
        return next_xid <= other_next_xid and abs(other.at - self.at) < _MAX_CLOCK_CHANGE

    def _position(self, xid: str) -> str:
        return str(packed(self.epoch, int(xid)))


class LastPoll(msgspec.Struct, frozen=True):
    """The result of the last poll of a campaign, and the time at which it began, on the process's clock."""

    generation: int
    moment: Moment
    started_at: float


class Generations:
    """Numbers the generations of campaigns: as long as the number is the same, no event was committed in between.

    Each call polls PostgreSQL; concurrent calls share a poll. It first checks whether any transaction has ended since
    the last poll, and only then whether one of them wrote an event of the campaign. Transactions do not end in the
    order of their ids, so the second check covers those that the last snapshot did not include, not all larger ids.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._epoch = 0
        self._numbers = count(1)
        self._last_polls: OrderedDict[int, LastPoll] = OrderedDict()
        self._batcher: Batcher[int, int] = Batcher(self._poll, _POLL_LIMITS)

    async def generation(self, campaign: int) -> int:
        """Returns the campaign's generation from a poll that begins after the call. Later generations are larger."""
        return await self._batcher.call(campaign, campaign=campaign)

    async def _poll(self, campaigns: list[int]) -> list[int]:
        started_at, requested = self._clock(), set(campaigns)
        # This uses the default pool: in the pool for searches, it would wait for them.
        (row,) = await read(self._database, _SQL["now"])
        now = Moment(row["snapshot"], row["at"], self._epoch)
        last_polls = {
            campaign: last for campaign in requested if (last := self._recent(campaign)) and last.moment.precedes(now)
        }
        changed = requested - last_polls.keys()
        if any(last.moment.snapshot != now.snapshot for last in last_polls.values()):
            now, with_events = await self._changed(last_polls)
            changed |= with_events
        for campaign in requested:
            generation = next(self._numbers) if campaign in changed else last_polls[campaign].generation
            self._last_polls[campaign] = LastPoll(generation, now, started_at)
            self._last_polls.move_to_end(campaign)
        while len(self._last_polls) > _MAX_CAMPAIGNS:
            self._last_polls.popitem(last=False)
        return [self._last_polls[campaign].generation for campaign in campaigns]

    async def _changed(self, last_polls: dict[int, LastPoll]) -> tuple[Moment, set[int]]:
        """Returns the moment of this poll, and the campaigns with events that their last polls did not see."""
        ranges = [(campaign, *xids) for campaign, last in last_polls.items() for xids in last.moment.unseen]
        campaigns, first, last = (list(part) for part in zip(*ranges, strict=True))
        (row,) = await read(
            self._database, _SQL["changed"], scope_of(*last_polls), campaigns, first, last, list(STREAMS),
            *_months(last.moment.at for last in last_polls.values()), pool=Pool.FOLLOW_INDEX,
        )  # fmt: skip
        self._epoch = row["epoch"] or 0
        moved = {campaign for campaign, last in last_polls.items() if last.moment.epoch != self._epoch}
        return Moment(row["snapshot"], row["at"], self._epoch), moved | set(row["changed"])

    def _recent(self, campaign: int) -> LastPoll | None:
        last = self._last_polls.get(campaign)
        return last if last is not None and self._clock() - last.started_at < MAX_AGE_SECONDS else None


def _months(polled_at: Iterable[datetime]) -> tuple[datetime, datetime]:
    """Returns a time range that includes all events since the polls and spans few monthly partitions."""
    ordered = sorted(polled_at)
    return ordered[0] - SKEW, ordered[-1] + SKEW
