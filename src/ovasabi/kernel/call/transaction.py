"""Units of work: a single statement, or several in one transaction, under the caller's deadline and lease."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import asyncpg

from ovasabi.database.connection import Database, Row
from ovasabi.database.failures import ROLLED_BACK
from ovasabi.database.pools import Pool
from ovasabi.database.retry import CONTENTION, retry
from ovasabi.database.sql import SET_SCOPE
from ovasabi.kernel.call.context import current, current_campaign, deadline, remaining
from ovasabi.kernel.call.errors import Contended, InvalidValue, LeaseLost
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.sqlstates import OwnSqlState

T = TypeVar("T")


class Running(NamedTuple):
    """An open transaction: its database and connection."""

    database: Database
    connection: asyncpg.Connection


_transaction: ContextVar[Running | None] = ContextVar("ovasabi_transaction", default=None)
_lock_wait: ContextVar[float | None] = ContextVar("ovasabi_lock_wait", default=None)


async def read(database: Database, sql: str, *args: Any, pool: Pool = Pool.READ, shaped: bool = False) -> list[Row]:
    """Runs a reading statement, inside the current transaction if there is one. `shaped`: by the caller's filter."""
    running = _transaction.get()
    try:
        if running is not None and running.database is database:
            return await running.connection.fetch(sql, *args)
        return await database.read(sql, *args, timeout=remaining(), pool=pool, shaped=shaped)
    except asyncpg.DataError as error:
        raise InvalidValue(problem="A value is outside the range that the database accepts.") from error


async def write(database: Database, sql: str, *args: Any, again: bool = False, pool: Pool = Pool.WRITE) -> list[Row]:
    """Runs a writing statement inside the current transaction, or by itself, guarded by the lease of the context."""
    if (connection := _running_on(database)) is not None:
        return await connection.fetch(sql, *args)
    fence = current().fence
    guard = (current_campaign(), fence.name, fence.token) if fence is not None else None
    with _fenced() if guard is not None else nullcontext():
        return await database.write(
            sql, *args, timeout=remaining(), again=again, guard=guard, pool=pool, lock_wait=_lock_wait.get()
        )


@contextmanager
def waiting_for_locks(seconds: float) -> Iterator[None]:
    """Runs a block whose single writes wait at most so many seconds for a lock, then fail, and are not sent again."""
    token = _lock_wait.set(min(seconds, _lock_wait.get() or seconds))
    try:
        yield
    finally:
        _lock_wait.reset(token)


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Runs a block as one transaction; inside another transaction, as a savepoint of it."""
    if (connection := _running_on(database)) is not None:
        async with connection.transaction():
            yield connection
        return
    async with database.transaction(remaining(), current_campaign()) as connection:
        fence = current().fence
        if fence is not None:
            await connection.execute(SET_SCOPE, scope_of(current_campaign()))
            with _fenced():
                await connection.execute(
                    "SELECT require_lease($1, $2, $3)", current_campaign(), fence.name, fence.token
                )
        token = _transaction.set(Running(database, connection))
        try:
            yield connection
        finally:
            _transaction.reset(token)


async def atomically(database: Database, block: Callable[[], Awaitable[T]]) -> T:
    """Runs a block as one transaction and retries it on a concurrent change; inside a transaction, as a savepoint."""
    if in_transaction():
        async with transaction(database):
            return await block()

    async def attempt() -> T:
        try:
            async with transaction(database):
                return await block()
        except ROLLED_BACK as error:
            raise Contended from error

    return await retry(attempt, CONTENTION, on=contended, deadline=deadline())


def contended(error: Exception) -> bool:
    """Returns whether a concurrent change caused the error, so that a retry from the start may succeed."""
    return isinstance(error, Contended)


def in_transaction() -> bool:
    """Returns whether a transaction is open in this context."""
    return _transaction.get() is not None


def _running_on(database: Database) -> asyncpg.Connection | None:
    """Returns the connection of the open transaction, if there is one; raises TypeError if it is on another server."""
    running = _transaction.get()
    if running is None:
        return None
    if running.database is not database:
        raise TypeError("a transaction writes to one server only: this one would write to a second one")
    return running.connection


@contextmanager
def _fenced() -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == OwnSqlState.LEASE_LOST:
            raise LeaseLost from error
        raise
