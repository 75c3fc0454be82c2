"""Runs the write statements of an entity type, for rows of any campaigns: retries conflicts, isolates refused rows."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import asyncpg

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.retry import CONTENTION, given_up, retry
from ovasabi.errors import REPORT, DatabaseUnavailable, OvasabiError
from ovasabi.kernel.batching.isolation import isolating
from ovasabi.kernel.batching.locked_rows import each_until_free, until_free
from ovasabi.kernel.call.context import deadline
from ovasabi.kernel.call.errors import Contended, KeyReused, KeyTaken, ReferenceMissing, TooLarge, from_postgres
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import contended, in_transaction, write
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.fields import Reference
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.statements import creating
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.partitions import possible_leaves
from ovasabi.kernel.store.rows import ChangedRow, NewRow
from ovasabi.kernel.store.sizes import Sizes

PASSES = 5
"""How often rows of one statement that conflict with each other are tried."""

Result = Row | OvasabiError
Kind = Literal["update", "adjust", "delete", "restore"]
R = TypeVar("R")
A = TypeVar("A", bound=Result | None)
log = logging.getLogger("ovasabi.kernel")


class Writer:
    """Writes rows of one entity type. Each row has its own result: the row that the statement returned, or an error."""

    def __init__(self, database: Database, sql: Statements) -> None:
        self.database = database
        self.sql = sql
        self._sizes = Sizes(sql.of)

    async def create(self, rows: Sequence[NewRow]) -> list[Result]:
        """Creates rows, and tries those again that conflicted with others or were locked by them.

        A row may turn out to be a repeated request.
        """
        results = await self.create_unlocked(rows)
        return await each_until_free(self.database, rows, results, _campaign_of, self.create_unlocked)

    async def create_unlocked(self, rows: Sequence[NewRow]) -> list[Result]:
        """Like `create`, but the result of a row that is locked is the error for that."""
        results: list[Result | None] = [None] * len(rows)
        unresolved, passes = Contended(), iter(range(PASSES))

        async def attempt() -> None:
            for _ in passes:
                waiting = [index for index, result in enumerate(results) if result is None]
                if not waiting:
                    return
                part = [rows[index] for index in waiting]
                # A failure of the second pass must not affect the rows that the first pass has written.
                done = await (self._create(part) if len(part) == len(rows) else _contained(self._create, part))
                for index, result in zip(waiting, done, strict=True):
                    results[index] = result
                if all(result is None for result in done):
                    raise unresolved  # all of them conflicted with other writers

        try:
            await retry(attempt, CONTENTION, on=lambda error: error is unresolved, deadline=deadline())
        except Contended as error:
            if error is not unresolved:
                raise
        return [unresolved if result is None else result for result in results]

    async def change(self, kind: Kind, rows: Sequence[ChangedRow]) -> list[Result]:
        """Changes rows in order of id, each entity once per statement. A null id means that the row was not changed."""
        results: dict[int, Result] = {}
        rest = sorted(range(len(rows)), key=lambda index: rows[index].id)
        while rest:
            now: list[int] = []
            later: list[int] = []
            for index in rest:
                again = now and rows[now[-1]].id == rows[index].id
                (later if again else now).append(index)
            part = [rows[index] for index in now]
            run = partial(self.change_unlocked, kind)
            done = await each_until_free(self.database, part, await run(part), _campaign_of, run)
            results.update(zip(now, done, strict=True))
            rest = later
        return [results[index] for index in range(len(rows))]

    async def later_on(
        self,
        row: NewRow | ChangedRow,
        refusal: Exception,
        attempt: Callable[[], Awaitable[Any]],
        wanted: Callable[[], bool],
    ) -> Any:
        """Returns the result of a locked row of a shared statement."""
        return await until_free(self.database, row.campaign, refusal, attempt, wanted)

    async def _create(self, rows: list[NewRow]) -> list[Result | None]:
        """Writes rows; the result of a row that must be retried is None."""
        return await self._isolated(rows, self._create_once)

    async def _create_once(self, rows: list[NewRow]) -> list[Result | None]:
        keyed = [row for row in rows if row.key]
        again = len(keyed) == len(rows)
        try:
            args = self._create_args(rows)
            returned = await write(self.database, self.sql.create, *args, again=again, pool=self._create_pool)
        except asyncpg.UniqueViolationError as error:
            if in_transaction():
                raise Contended from error
            if len(rows) > 1:
                raise
            return [None]  # A concurrent write took a key between our check and our insert.
        except DatabaseUnavailable as error:
            if again or not keyed or given_up(error):
                raise
            sent_again = iter(await self._create(keyed))  # the key ensures that a row is created only once
            return [next(sent_again) if row.key else error for row in rows]
        created = zip(rows, returned, strict=True)
        self._count_written([(row.campaign, new["id"], row.data) for row, new in created if new["_verdict"] is None])
        return [None if row["_verdict"] == creating.AGAIN else self._result_of(row) for row in returned]

    async def change_in_order(self, kind: Kind, rows: list[ChangedRow]) -> list[Result]:
        """Like `change_unlocked`, for rows in any order: they are locked in order of id."""
        order = sorted(range(len(rows)), key=lambda index: rows[index].id)
        done = dict(zip(order, await self.change_unlocked(kind, [rows[index] for index in order]), strict=True))
        return [done[index] for index in range(len(rows))]

    async def change_unlocked(self, kind: Kind, rows: list[ChangedRow]) -> list[Result]:
        """Changes rows of different entities. The result of a row that is locked is the error for that."""
        return await self._isolated(rows, lambda part: self._change_part(kind, part))

    async def _change_part(self, kind: Kind, rows: list[ChangedRow]) -> list[Result]:
        """Runs one statement; for a single row, again if a natural key was taken meanwhile."""
        if len(rows) > 1 or in_transaction():
            return await self._change_once(kind, rows)
        return await retry(lambda: self._change_once(kind, rows), CONTENTION, on=contended, deadline=deadline())

    async def _change_once(self, kind: Kind, rows: list[ChangedRow]) -> list[Result]:
        sql: str = getattr(self.sql, kind)
        try:
            returned = await write(self.database, sql, *self._change_args(rows))
        except asyncpg.UniqueViolationError as error:
            if kind == "restore" and len(rows) == 1:
                key = " or ".join(key.name for key in self.sql.keys)
                raise KeyTaken(type=self.sql.of.name, key=key) from error
            if in_transaction() or len(rows) == 1:
                raise Contended from error
            raise
        self._count_written([(row.campaign, row.id, row.data) for row in rows])
        return [self._result_of(row) for row in returned]

    async def _isolated(self, rows: list[R], run: Callable[[list[R]], Awaitable[list[A]]]) -> list[A | OvasabiError]:
        """Runs one statement for all rows, and returns an error for each row that PostgreSQL refuses."""
        try:
            results = await isolating(rows, run)
        except asyncpg.PostgresError as error:
            if len(rows) > 1 or in_transaction():
                raise self._known(error) or error from error
            results = [error]
        return [self._refusal(result) if isinstance(result, Exception) else result for result in results]

    def _refusal(self, error: Exception) -> OvasabiError:
        """Returns the error of one row: an internal one, to be logged with its cause, if the platform has no other."""
        if isinstance(error, OvasabiError):
            return error
        refusal = self._known(error) or OvasabiError(hint=REPORT)
        refusal.__cause__ = error
        return refusal

    def _known(self, error: Exception) -> OvasabiError | None:
        if not isinstance(error, asyncpg.PostgresError):
            return None
        known = from_postgres(error, self.sql.of.name, self.sql.of.table_name)
        if isinstance(known, TooLarge):
            known.field = self._sizes.field_of(error.constraint_name or "")
        return known

    def _count_written(self, rows: list[tuple[int, int, str]]) -> None:
        """Counts rows (campaign, id and data) in the pending lists of the tables that they were written to."""
        weights: Counter[tuple[int, int, int]] = Counter()
        for campaign, id, data in rows:
            created_at = id_time(id)
            weights[campaign, created_at.year, created_at.month] += max(1, len(data) >> 10)
        for month, weight in weights.items():
            for table in possible_leaves(self.sql.of, *month):
                self.database.pending_lists.written(table, weight)
        self.database.pending_lists.written("master", len(rows))

    @property
    def _create_pool(self) -> Pool:
        # A create that is counted updates a partitioned table, and must be planned like any other update.
        return Pool.WRITE_PLANNED if self.sql.of.counter is None else Pool.WRITE

    def _create_args(self, rows: list[NewRow]) -> tuple[object, ...]:
        campaigns = [row.campaign for row in rows]
        return (
            scope_of(*campaigns),
            campaigns,
            [row.data for row in rows],
            [row.key for row in rows],
            [row.digest for row in rows],
            *_event_columns(rows),
            *(() if self.sql.of.counter is None else _parents(rows)),
        )

    def _change_args(self, rows: list[ChangedRow]) -> tuple[object, ...]:
        campaigns = [row.campaign for row in rows]
        return (
            scope_of(*campaigns),
            campaigns,
            [row.id for row in rows],
            [id_time(row.id) for row in rows],
            [row.expected for row in rows],
            [row.data for row in rows],
            *_event_columns(rows),
        )

    def _result_of(self, row: Row) -> Result:
        verdict = row["_verdict"]
        if verdict in (None, creating.REPLAYED, creating.UNCOUNTED):
            return row
        if verdict == creating.KEY_REUSED:
            return KeyReused(field="Idempotency-Key")
        name = verdict.partition(":")[2]
        if verdict.startswith(creating.TAKEN):
            return KeyTaken(field=name, type=self.sql.of.name, key=name.replace("+", ", "))
        reference = self.sql.of.by_name[name].get(Reference)
        assert reference is not None
        return ReferenceMissing(field=name, name=name, type=declared[reference.type].name)


def _campaign_of(row: NewRow | ChangedRow) -> int:
    return row.campaign


def _event_columns(rows: Sequence[NewRow] | Sequence[ChangedRow]) -> tuple[list[Any], ...]:
    """Returns what the events record about their caller: event types, actors, correlation and causation ids."""
    return (
        [row.event_type for row in rows],
        [row.actor for row in rows],
        [row.correlation_id for row in rows],
        [row.causation_id for row in rows],
    )


def _parents(rows: Sequence[NewRow]) -> tuple[list[Any], ...]:
    """Returns the distinct parents that count the rows: campaigns, ids in order, and times of creation."""
    found = {(row.campaign, row.parent) for row in rows if row.parent is not None}
    ordered = sorted(found, key=lambda parent: (parent[1], parent[0]))
    ids = [id for _, id in ordered]
    return [campaign for campaign, _ in ordered], ids, [id_time(id) for id in ids]


async def _contained(run: Callable[[list[R]], Awaitable[list[Any]]], rows: list[R]) -> list[Any]:
    """Returns the results of some of the rows; an error of these becomes the result of each of them, and is contained.

    The other rows of the request are not affected.
    """
    try:
        return await run(rows)
    except OvasabiError as error:
        return [error] * len(rows)
    except asyncpg.PostgresError as error:
        log.error("rows were refused that should not have been", exc_info=error)
        return [OvasabiError()] * len(rows)
