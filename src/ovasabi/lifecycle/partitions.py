"""Partitions: finds the months that are missing, and creates them without blocking other work."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.kernel.store import partitions

_SQL = load(__file__)


class Step(msgspec.Struct, frozen=True):
    """One leaf to create: the parent's name and the first day of the month."""

    parent: str
    month: date


async def plan(database: Database, months_ahead: int, today: date | None = None) -> list[Step]:
    """Returns the missing leaves, from this month to `months_ahead` later, without creating them."""
    months = partitions.months_from(today or database.present.now().date(), months_ahead)
    return [
        Step(row["parent"], month)
        for row in await database.read(_SQL["parents"])
        for month in months
        if f"{row['parent']}_{month:%Y%m}" not in row["leaves"]
    ]


async def missing(fetch: Callable[[str], Awaitable[Sequence[Any]]]) -> list[str]:
    """Returns the leaves that are missing for the month that new rows are in, which are refused meanwhile."""
    return [row["name"] for row in await fetch(_SQL["missing"])]


async def apply(database: Database, steps: list[Step]) -> int:
    """Creates the leaves and returns how many. Each has its own transaction, so it can be interrupted and run again."""
    for step in steps:
        await partitions.execute_with_short_locks(database, partitions.MAKE_MONTH, step.parent, step.month)
    return len(steps)


async def ensure(database: Database, months_ahead: int) -> int:
    """Creates the missing leaves and returns how many."""
    return await apply(database, await plan(database, months_ahead))


async def complete(database: Database, months_ahead: int) -> int:
    """Creates the missing leaves, and the partitions that campaigns with their own lack in tables newer than they are.

    Returns the number of leaves. To be called before rows are written to a new table: a campaign that already has rows
    in its pool stays there.
    """
    await note_present(database)
    for row in await database.read(_SQL["missing_branches"]):
        with suppress(asyncpg.CheckViolationError):
            await partitions.execute_with_short_locks(
                database, partitions.MAKE_BRANCH, row["table_name"], row["campaign"]
            )
    return await ensure(database, months_ahead)


async def dedicate(database: Database, campaign: int, months_ahead: int) -> int:
    """Creates a campaign's own partitions of every partitioned table, with their months; returns the leaf count."""
    return await partitions.dedicate(database, campaign, months_ahead)


async def note_present(database: Database) -> None:
    """Asks the database for the present, which may be ahead of the clock."""
    database.present.note((await database.read(_SQL["present"]))[0]["at"])
