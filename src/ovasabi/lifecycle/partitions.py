"""Partitions: which months there should be, which are missing, and making them without blocking anybody."""

import asyncio
from datetime import date

import asyncpg
import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.errors import OvasabiError
from ovasabi.kernel.store import partitions

_SQL = load(__file__)


class Step(msgspec.Struct, frozen=True):
    """One leaf to make: the parent's name and the first day of the month."""

    parent: str
    month: date


async def plan(database: Database, months_ahead: int, today: date | None = None) -> list[Step]:
    """The leaves that are missing, from this month to `months_ahead` later; nothing is touched."""
    wanted = partitions.months_from_now(months_ahead, today)
    return [
        Step(row["parent"], month)
        for row in await database.read(_SQL["parents"])
        for month in wanted
        if f"{row['parent']}_{month:%Y%m}" not in row["leaves"]
    ]


async def apply(database: Database, steps: list[Step]) -> int:
    """Makes the leaves, one transaction each: to be interrupted, and run again, at any time. Answers how many."""
    for step in steps:
        await partitions.execute_with_short_locks(database, partitions.MAKE_MONTH, step.parent, step.month)
    return len(steps)


async def ensure(database: Database, months_ahead: int) -> int:
    """Plans and applies."""
    return await apply(database, await plan(database, months_ahead))


async def dedicate(database: Database, campaign: int, months_ahead: int) -> int:
    """Gives a campaign partitions of its own in every partitioned table, with their months; answers how many leaves."""
    return await partitions.dedicate(database, campaign, months_ahead)


async def keep_ahead(database: Database, months_ahead: int, every_seconds: float = 3600) -> None:
    """For ever: looks now and then whether a month is missing. Trouble is left to the next round."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await ensure(database, months_ahead)
        except (OvasabiError, asyncpg.PostgresError):
            continue
