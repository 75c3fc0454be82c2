"""Partitions: the months that are needed, and a campaign's own partitions, created without blocking other work."""

from datetime import date

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.retry import Policy, retry
from ovasabi.database.sql import load
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.context import deadline
from ovasabi.kernel.declare.entity import EntityType

_SHORT_LOCKS = Policy(attempts=20, first=0.05, longest=0.7)

_SQL = load(__file__)
MAKE_BRANCH = _SQL["make_branch"]
"""Creates a campaign's own partition of a table if it is missing: $1 table, $2 campaign."""
MAKE_MONTH = _SQL["make_month"]
"""Creates the leaf of a month if it is missing: $1 parent, $2 month."""


async def dedicate(database: Database, campaign: int, months_ahead: int) -> int:
    """Creates a campaign's own partitions in every partitioned table, with their months; returns the number of leaves.

    It works step by step and can be run again after an interruption. If the campaign is never created, its partitions
    stay empty.
    """
    months = months_from(database.present.now().date(), months_ahead)
    tables = [row["table_name"] for row in await database.read(_SQL["tables"])]
    for table in tables:
        await execute_with_short_locks(database, MAKE_BRANCH, table, campaign)
        for month in months:
            await execute_with_short_locks(database, MAKE_MONTH, f"{table}_c{campaign}", month)
    return len(tables) * len(months)


def possible_leaves(of: EntityType, campaign: int, year: int, month: int) -> tuple[str, ...]:
    """Returns the tables of which one has a campaign's rows of a month: the type's own, or a leaf of either branch."""
    if not of.partitioned:
        return (of.table_name,)
    return f"{of.table_name}_pool_{year}{month:02}", f"{of.table_name}_c{campaign}_{year}{month:02}"


def months_from(today: date, ahead: int) -> list[date]:
    """Returns the first days of a day's month and of the following ones."""
    first = today.year * 12 + today.month - 1
    return [date(index // 12, index % 12 + 1, 1) for index in range(first, first + ahead + 1)]


async def execute_with_short_locks(database: Database, sql: str, *args: object) -> None:
    """Executes a statement that waits for locks only briefly, so that no other session queues behind it, and retries.

    Raises DatabaseUnavailable if the table remains locked. Does nothing if the table to create already exists.
    """

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
