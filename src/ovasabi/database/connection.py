"""The database as the kernel sees it: one statement on a connection of a pool, or several as a transaction."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

import asyncpg

from ovasabi.database.pools import Pool
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded

T = TypeVar("T")

RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Errors after which PostgreSQL has rolled the statement back: it can always be sent again."""
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server said goodbye to an idle connection, and the driver has not yet closed it
    asyncpg.OperatorInterventionError,
    OSError,
)
"""Errors of a connection that is gone, or cannot be made."""

ATTEMPTS = 5
PAUSE_SECONDS = 0.05

# A lost connection is told to the caller, in a sentence; the pool would also log its stack trace.
logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)

Row = asyncpg.Record


class Database:
    """The pools. `read` and `write` run one statement in one round trip; `transaction` runs several as one."""

    def __init__(self, url: str, *, readers: int = 8, writers: int = 8, timeout_seconds: float = 30.0) -> None:
        self.url = url
        self.timeout = timeout_seconds
        self._sizes = (readers, writers)
        self._pools: dict[Pool, asyncpg.Pool] = {}

    async def open(self) -> "Database":
        """Connects; waits, bounded by the timeout, for a server that is just starting."""
        for pool in Pool:
            size = pool.size(*self._sizes)
            self._pools[pool] = await patiently(partial(pool.open, self.url, size, self.timeout), self.timeout)
        return self

    async def close(self) -> None:
        """Closes the pools; connections in use get a moment to finish."""
        for pool in self._pools.values():
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except (TimeoutError, *LOST):
                pool.terminate()
        self._pools.clear()

    async def read(self, sql: str, *args: Any, timeout: float | None = None, pool: Pool = Pool.READ) -> list[Row]:
        """Runs one reading statement; sent again on a new connection if the old one is lost."""
        return await self._run(pool, sql, args, timeout, again=True)

    async def write(
        self,
        sql: str,
        *args: Any,
        timeout: float | None = None,
        again: bool = False,
        guard: tuple[Any, ...] | None = None,
        pool: Pool = Pool.WRITE,
    ) -> list[Row]:
        """Runs one writing statement. `again` says that it may be sent twice (it carries idempotency keys).

        `guard` are the arguments of `require_lease`: the statement then runs in one transaction behind that check.
        """
        return await self._run(pool, sql, args, timeout, again=again, guard=guard)

    @asynccontextmanager
    async def transaction(self, timeout: float | None = None) -> AsyncIterator[asyncpg.Connection]:
        """One transaction on a writing connection; rolled back if the block fails or is cancelled."""
        limit = timeout or self.timeout
        clock = asyncio.get_running_loop().time
        end = clock() + limit - PAUSE_SECONDS
        try:
            async with self._connection(Pool.WRITE, limit) as connection, connection.transaction():
                if limit < self.timeout:
                    await connection.execute(f"SET LOCAL statement_timeout = {max(1, int(limit * 1000))}")
                yield connection
        except Exception as error:
            told = _translated(error, late=timeout is not None and clock() >= end)
            if told is error:
                raise  # with the cause that it has
            raise told from error

    async def _run(
        self,
        pool: Pool,
        sql: str,
        args: Sequence[Any],
        timeout: float | None,
        *,
        again: bool,
        guard: tuple[Any, ...] | None = None,
    ) -> list[Row]:
        clock = asyncio.get_running_loop().time
        limit = timeout or self.timeout
        end = clock() + limit
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._connection(pool, limit) as connection:
                    return await self._fetch(connection, sql, args, limit, guard)
            except Exception as error:
                safe = isinstance(error, (*RETRIED, NotSent)) or (again and _is_lost(error))
                pause = PAUSE_SECONDS * 2**attempt
                limit = end - clock() - pause
                if not safe or attempt == ATTEMPTS or limit <= 0:
                    told = _translated(error, late=timeout is not None and limit <= 0)
                    raise told from (error.__cause__ if told is error else error)
            await asyncio.sleep(pause)
        raise DatabaseUnavailable(reason="it was tried too often")

    async def _fetch(
        self, connection: asyncpg.Connection, sql: str, args: Sequence[Any], limit: float, guard: tuple[Any, ...] | None
    ) -> list[Row]:
        # The session's statement_timeout is the usual limit; only a shorter one, or a guard, costs a transaction.
        if guard is None and limit > self.timeout - 1:
            return await connection.fetch(sql, *args, timeout=limit + 1)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {max(1, int(limit * 1000))}")
            if guard is not None:
                await connection.execute("SELECT set_config('ovasabi.campaigns', $1, true)", f"{{{guard[0]}}}")
                await connection.execute("SELECT require_lease($1, $2, $3)", *guard)
            return await connection.fetch(sql, *args, timeout=limit + 1)

    @asynccontextmanager
    async def _connection(self, pool: Pool, limit: float) -> AsyncIterator[asyncpg.Connection]:
        if pool not in self._pools:
            raise DatabaseUnavailable(reason="the connection pool is closed")
        opened = self._pools[pool]
        try:
            connection = await opened.acquire(timeout=limit)
        except (TimeoutError, asyncpg.PostgresError, *LOST) as error:
            # Whatever the server says to a new session, such as that there are too many: nothing was sent.
            raise NotSent(*error.args) from error
        try:
            yield cast("asyncpg.Connection", connection)
        finally:
            await opened.release(connection, timeout=5)


class NotSent(OSError):
    """No connection could be had, so nothing was sent."""


async def patiently(make: Callable[[], Awaitable[T]], limit: float) -> T:
    """Calls `make` until it connects, for at most `limit` seconds: a server may just be starting."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while True:
        try:
            return await make()
        except LOST as error:
            if loop.time() + 0.2 > end:
                raise _translated(error) from error
            await asyncio.sleep(0.2)


def _is_lost(error: Exception) -> bool:
    # A cancelled statement and a time-out are of the same families as a lost connection, and mean something else.
    return isinstance(error, LOST) and not isinstance(error, asyncpg.QueryCanceledError | TimeoutError)


def _translated(error: Exception, *, late: bool = False) -> Exception:
    # Who waited for a connection as long as the caller allowed is late: it does not say that there is no database.
    waited = late and isinstance(error, NotSent) and isinstance(error.__cause__, TimeoutError)
    if waited or isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return DeadlineExceeded()
    if _is_lost(error):
        reason = (
            "the connection was lost or refused" if not isinstance(error, NotSent) else "no connection could be made"
        )
        return DatabaseUnavailable(reason=reason)
    return error
