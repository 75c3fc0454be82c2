"""Where rows are placed: the months there should be, and a campaign's own partitions, made without blocking anybody."""

from datetime import UTC, date, datetime

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.retry import Policy, retry
from ovasabi.database.sql import load
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.context import deadline

_SHORT_LOCKS = Policy(attempts=20, first=0.05, longest=0.7)

_SQL = load(__file__)
MAKE_MONTH = _SQL["make_month"]
"""Makes the leaf of a month, if it is missing: $1 parent, $2 month."""


async def dedicate(database: Database, campaign: int, months_ahead: int) -> int:
    """Gives a campaign partitions of its own in every partitioned table, with their months; answers how many leaves.

    Step by step, so to be run again if it was interrupted. Partitions of a campaign that never comes stay empty.
    """
    months = months_from_now(months_ahead)
    tables = [row["table_name"] for row in await database.read(_SQL["tables"])]
    for table in tables:
        await patiently(database, _SQL["make_branch"], table, campaign)
        for month in months:
            await patiently(database, MAKE_MONTH, f"{table}_c{campaign}", month)
    return len(tables) * len(months)


def months_from_now(ahead: int, today: date | None = None) -> list[date]:
    """The first days of this month and of those ahead, UTC."""
    today = today or datetime.now(UTC).date()
    first = today.year * 12 + today.month - 1
    return [date(index // 12, index % 12 + 1, 1) for index in range(first, first + ahead + 1)]


async def patiently(database: Database, sql: str, *args: object) -> None:
    """Waits for locks only briefly, so that nobody queues behind us, and tries again."""

    async def attempt() -> None:
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL lock_timeout = '200ms'")
            await connection.execute(sql, *args)

    try:
        await retry(attempt, _SHORT_LOCKS, on=_locked, deadline=deadline())
    except asyncpg.DuplicateTableError:
        return
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        reason = "a partition could not be created: its table is locked by a long transaction"
        raise DatabaseUnavailable(reason=reason) from error


def _locked(error: Exception) -> bool:
    return isinstance(error, (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError))
