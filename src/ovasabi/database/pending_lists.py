"""Merges the pending lists of full-text indexes in the background, so that no write has to do it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context

import asyncpg

from ovasabi.database.sql import load
from ovasabi.errors import OvasabiError

_SQL = load(__file__)
MERGE = _SQL["merge"]
"""Merges the pending lists of a table: $1 the table."""

DUE = 400
"""The weight of rows after which a table's pending list is merged: a list four times as long is merged by a write."""
TABLES = 10_000
"""The most tables whose rows are counted."""

log = logging.getLogger("ovasabi.database")


class PendingLists:
    """Counts the rows written to each table, and merges its pending list when enough of them are in it.

    A GIN index collects new entries in a list. The write that makes the list too long merges all of it into the index,
    which takes a few hundred milliseconds, and every call that shares the statement waits. Merging does not block other
    writes when another session does it. See decision 0031.
    """

    def __init__(self, merge: Callable[[str], Awaitable[object]]) -> None:
        self._merge = merge
        self._weights: dict[str, int] = {}
        self._due: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None

    def written(self, table: str, weight: int) -> None:
        """Counts rows written to a table: a row weighs 1 for each kilobyte, and at least 1."""
        total = self._weights.get(table, 0) + weight
        if total < DUE:
            if table not in self._weights and len(self._weights) >= TABLES:
                self._weights.clear()  # so many tables share the writes that none of their lists grows fast
            self._weights[table] = total
            return
        self._weights.pop(table, None)
        self._due[table] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._merge_due(), context=Context())

    async def settled(self) -> None:
        """Waits until no list is due."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Abandons what is due: the lists that remain are merged by autovacuum or by a later write."""
        self._due.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _merge_due(self) -> None:
        try:
            while self._due:
                table = next(iter(self._due))
                del self._due[table]
                await self._merge_one(table)
        finally:
            self._task = None

    async def _merge_one(self, table: str) -> None:
        try:
            await self._merge(table)
        except (OvasabiError, asyncpg.PostgresError) as error:
            log.warning("the pending lists of %s were not merged, which a write will do: %s", table, error)
