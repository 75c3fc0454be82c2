"""The state of a server's subscription to the platform's rows, with what PostgreSQL tells of the reason."""

import asyncio

import asyncpg
import msgspec

from ovasabi.database.sql import load
from ovasabi.lifecycle.replication.publication import published

_SQL = load(__file__)
LOOK_AGAIN_SECONDS = 1.0
"""After what time a worker that has failed before, or that has not heard from home yet, is looked at again.

One that fails again and again runs for milliseconds every few seconds.
"""

LOOKS = 3
"""How often at most."""


class Worker(msgspec.Struct, frozen=True):
    """What a server's PostgreSQL tells of its subscription."""

    enabled: bool
    slot: str | None
    """The name of the replication slot at home."""
    tables: list[str]
    copying: int
    """How many tables are not copied yet."""
    pid: int | None
    """The process that applies the rows, if it has heard from home."""
    apply_errors: int
    copy_errors: int
    conflicts: str | None
    """The kinds of conflicts there have been, as PostgreSQL 18 counts them."""

    @property
    def failures(self) -> str:
        """What failed, and how often."""
        what = [(self.copy_errors, "copying"), (self.apply_errors, "applying")]
        told = [f"{name} failed {count:,} time{'s' * (count > 1)}" for count, name in what if count]
        return ", ".join(told + ([self.conflicts] if self.conflicts else []))


class Subscribed(msgspec.Struct, frozen=True):
    """The state of a server's subscription to the platform's rows."""

    state: str
    """running, copying, failing, not running, disabled or missing."""
    reason: str | None = None
    mendable: bool = False
    """Whether `ovasabi migrate` sets it up again."""

    @property
    def ready(self) -> bool:
        """Whether the rows arrive."""
        return self.state == "running"

    def __str__(self) -> str:
        return f"replication {self.state}" + (f" ({self.reason})" if self.reason else "")


async def state_of(subscriber: asyncpg.Connection, home: asyncpg.Connection) -> Subscribed:
    """Returns the state of a server's subscription, as the server and home see it."""
    worker = await worker_of(subscriber)
    if worker is None:
        return Subscribed("missing", mendable=True)
    if not worker.enabled:
        return Subscribed("disabled", mendable=True)
    if (reason := await cut_off(worker, home)) is not None:
        return Subscribed("failing", reason, mendable=True)
    if (worker.pid is None or worker.apply_errors) and not await _goes_on(subscriber, home, worker):
        if not worker.apply_errors and await _taken(worker, home):
            return Subscribed("failing", "another server uses its replication slot")
        return Subscribed("failing", worker.failures) if worker.apply_errors else Subscribed("not running")
    if worker.copying:
        return Subscribed("failing", worker.failures) if worker.copy_errors else Subscribed("copying")
    return Subscribed("running")


async def worker_of(subscriber: asyncpg.Connection) -> Worker | None:
    """Returns what a server tells of its subscription; None if it has none."""
    rows = await subscriber.fetch(_SQL["worker"])
    return Worker(**rows[0]) if rows else None


async def cut_off(worker: Worker, home: asyncpg.Connection) -> str | None:
    """Returns why a subscription can never go on as it is, because home lacks something for it; None if it can."""
    if (reason := await unknown_at(home, worker)) is not None:
        return reason
    if missing := sorted(set(worker.tables) - (await published(home) or frozenset())):
        return f"home does not publish {', '.join(missing)}"
    rows = await home.fetch(_SQL["slot"], worker.slot)
    return "home no longer has the changes that it needs" if any(row["lost"] for row in rows) else None


async def unknown_at(home: asyncpg.Connection, worker: Worker) -> str | None:
    """Returns what home lacks of a subscription altogether, as it does after it was restored; None if nothing."""
    if await published(home) is None:
        return "home does not publish them"
    return None if await home.fetch(_SQL["slot"], worker.slot) else "its replication slot is missing at home"


async def _goes_on(subscriber: asyncpg.Connection, home: asyncpg.Connection, before: Worker) -> bool:
    """Whether all that home had has arrived, or a worker is at it; one that has just been started may fail at once."""
    has = await home.fetchval(_SQL["written"])
    for _ in range(LOOKS):
        if before.apply_errors and await home.fetchval(_SQL["arrived"], before.slot, has):
            return True
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        now = await worker_of(subscriber)
        if now is None or now.pid is None or now.apply_errors > before.apply_errors:
            return False
        if now.pid == before.pid or not now.apply_errors:
            return True
        before = now
    return False


async def _taken(worker: Worker, home: asyncpg.Connection) -> bool:
    return any(row["active"] for row in await home.fetch(_SQL["slot"], worker.slot))
