"""Running the write statements of an entity type: N rows of any campaigns, what is tried again, what is refused."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar

import asyncpg

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.retry import CONTENTION, given_up, retry
from ovasabi.errors import DatabaseUnavailable, OvasabiError
from ovasabi.kernel.call.context import PLATFORM, deadline
from ovasabi.kernel.call.errors import Contended, KeyReused, KeyTaken, ReferenceMissing, from_postgres
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import contended, in_transaction, write
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.declare.fields import Reference
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.statements import creating
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.rows import ChangedRow, NewRow

PASSES = 5
"""How often rows of one statement that are in each other's way are looked at again."""
OF_ONE_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.LockNotAvailableError)
"""Errors that one row causes: its neighbours in the statement are written without it."""

Answer = Row | OvasabiError
Kind = Literal["update", "adjust", "delete", "restore"]
R = TypeVar("R")
A = TypeVar("A", Answer, Answer | None)
log = logging.getLogger("ovasabi.kernel")


class Writer:
    """Writes rows of one entity type. Each is answered by itself: with its row of the answer, or with its error."""

    def __init__(self, database: Database, sql: Statements) -> None:
        self.database = database
        self.sql = sql

    async def create(self, rows: Sequence[NewRow]) -> list[Answer]:
        """Creates rows, and again those that another one got in the way of; the verdict may say that it was before."""
        answers: list[Answer | None] = [None] * len(rows)
        left, passes = Contended(), iter(range(PASSES))

        async def attempt() -> None:
            for _ in passes:
                waiting = [place for place, answer in enumerate(answers) if answer is None]
                if not waiting:
                    return
                part = [rows[place] for place in waiting]
                # What failed the second time is no matter of those that were written the first time.
                done = await (self._create(part) if len(part) == len(rows) else _in_place(self._create, part))
                for place, answer in zip(waiting, done, strict=True):
                    answers[place] = answer
                if all(answer is None for answer in done):
                    raise left  # others got in the way of all of them

        try:
            await retry(attempt, CONTENTION, on=lambda error: error is left, deadline=deadline())
        except Contended as error:
            if error is not left:
                raise
        return [left if answer is None else answer for answer in answers]

    async def change(self, kind: Kind, rows: Sequence[ChangedRow]) -> list[Answer]:
        """Changes rows in order of id, each entity once a statement; an id of null says that it was not changed."""
        answers: dict[int, Answer] = {}
        rest = sorted(range(len(rows)), key=lambda place: rows[place].id)
        while rest:
            turn: list[int] = []
            later: list[int] = []
            for place in rest:
                again = turn and rows[turn[-1]].id == rows[place].id
                (later if again else turn).append(place)
            done = await self._change(kind, [rows[place] for place in turn])
            answers.update(zip(turn, done, strict=True))
            rest = later
        return [answers[place] for place in range(len(rows))]

    async def _create(self, rows: list[NewRow]) -> list[Answer | None]:
        """One statement; none in the place of a row that is to be tried again."""
        keyed = [row for row in rows if row.key]
        again = len(keyed) == len(rows)
        try:
            args = self._create_args(rows)
            answered = await write(self.database, self.sql.create, *args, again=again, pool=self._create_pool)
        except asyncpg.UniqueViolationError as error:
            if in_transaction():
                raise Contended from error
            return [None] * len(rows)  # Another one took a key between our look and our insert: look again.
        except asyncpg.PostgresError as error:
            return await self._apart(error, rows, self._create)
        except DatabaseUnavailable as error:
            if again or not keyed or given_up(error):
                raise
            sent_again = iter(await self._create(keyed))  # whether it was written or not, a key makes it once
            return [next(sent_again) if row.key else error for row in rows]
        return [None if row["_verdict"] == creating.AGAIN else self._judged(row) for row in answered]

    async def _change(self, kind: Kind, rows: list[ChangedRow]) -> list[Answer]:
        """One statement; where a natural key was taken meanwhile, each row by itself, and a single one once more."""
        if len(rows) == 1 and not in_transaction():
            return await retry(lambda: self._change_once(kind, rows), CONTENTION, on=contended, deadline=deadline())
        return await self._change_once(kind, rows)

    async def _change_once(self, kind: Kind, rows: list[ChangedRow]) -> list[Answer]:
        sql: str = getattr(self.sql, kind)
        try:
            answered = await write(self.database, sql, *self._change_args(rows))
            return [self._judged(row) for row in answered]
        except asyncpg.UniqueViolationError as error:
            if kind == "restore" and len(rows) == 1:
                key = " or ".join(key.name for key in self.sql.keys)
                raise KeyTaken(type=self.sql.of.name, key=key) from error
            if in_transaction() or len(rows) == 1:
                raise Contended from error
            return [(await _in_place(lambda part: self._change(kind, part), [row]))[0] for row in rows]
        except asyncpg.PostgresError as error:
            return await self._apart(error, rows, lambda part: self._change(kind, part))

    async def _apart(
        self, error: asyncpg.PostgresError, rows: list[R], run: Callable[[list[R]], Awaitable[list[A]]]
    ) -> list[A]:
        """The halves of a statement that one row stopped, each by itself, until that row is alone with its error."""
        refusal = from_postgres(error, self.sql.of.name, self.sql.of.table_name)
        if in_transaction() or not isinstance(error, OF_ONE_ROW):
            raise refusal or error from error
        if len(rows) == 1:
            if refusal is None:
                raise error
            return [refusal]
        if isinstance(error, asyncpg.LockNotAvailableError):
            # It took seconds to find out that a row is locked: not to be repeated half by half.
            alone = await asyncio.gather(*(_in_place(run, [row]) for row in rows))
            return [answer for answers in alone for answer in answers]
        half = len(rows) // 2
        return await _in_place(run, rows[:half]) + await _in_place(run, rows[half:])

    @property
    def _create_pool(self) -> Pool:
        # A create that counts updates a partitioned table, and must be planned as any other update.
        return Pool.WRITE_PLANNED if self.sql.of.counter is None else Pool.WRITE

    def _create_args(self, rows: list[NewRow]) -> tuple[object, ...]:
        campaigns = [row.campaign for row in rows]
        root = self.sql.of.scope is Scope.ROOT
        return (
            scope_of(*campaigns, PLATFORM) if root else scope_of(*campaigns),
            campaigns,
            [row.data for row in rows],
            [row.key for row in rows],
            [row.digest for row in rows],
            *_told(rows),
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
            *_told(rows),
        )

    def _judged(self, row: Row) -> Answer:
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


def _told(rows: Sequence[NewRow] | Sequence[ChangedRow]) -> tuple[list[Any], ...]:
    """What the event of each row tells of its caller: event types, actors, correlation and causation ids."""
    return (
        [row.event_type for row in rows],
        [row.actor for row in rows],
        [row.correlation_id for row in rows],
        [row.causation_id for row in rows],
    )


def _parents(rows: Sequence[NewRow]) -> tuple[list[Any], ...]:
    """The parents that count the rows, each once: their campaigns, their ids in order, and their times."""
    found = {(row.campaign, row.parent) for row in rows if row.parent is not None}
    ordered = sorted(found, key=lambda place: (place[1], place[0]))
    ids = [id for _, id in ordered]
    return [campaign for campaign, _ in ordered], ids, [id_time(id) for id in ids]


async def _in_place(run: Callable[[list[R]], Awaitable[list[Any]]], rows: list[R]) -> list[Any]:
    """The answers of a part of the rows; what stops that part is the answer of each of its rows, and of no other."""
    try:
        return await run(rows)
    except OvasabiError as error:
        return [error] * len(rows)
    except asyncpg.PostgresError as error:
        log.error("rows were refused that should not have been", exc_info=error)
        return [OvasabiError()] * len(rows)
