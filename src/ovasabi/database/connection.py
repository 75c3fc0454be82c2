"""The database as the kernel sees it: one statement on a connection of a pool, or several as a transaction."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NoReturn, cast

import asyncpg

from ovasabi.database.failures import LOST, ROLLED_BACK, NotSent, is_lost, translated
from ovasabi.database.pools import Pool
from ovasabi.database.retry import STATEMENT, Policy, retry
from ovasabi.database.sql import SET_SCOPE
from ovasabi.errors import DatabaseUnavailable

_STARTING = Policy(first=0.1, longest=0.3)
"""Until a server that is just starting takes connections."""

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
        clock = asyncio.get_running_loop().time
        for pool in Pool:
            connect = partial(pool.open, self.url, pool.size(*self._sizes), self.timeout)
            try:
                self._pools[pool] = await retry(connect, _STARTING, on=_refused, deadline=clock() + self.timeout)
            except LOST as error:
                _raise(error)
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
        end = asyncio.get_running_loop().time() + limit
        try:
            async with self._connection(Pool.WRITE, limit) as connection, connection.transaction():
                if limit < self.timeout:
                    await connection.execute(f"SET LOCAL statement_timeout = {max(1, int(limit * 1000))}")
                yield connection
        except Exception as error:
            _raise(error, late=timeout is not None and _is_over(end))

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
        end = clock() + (timeout or self.timeout)

        async def attempt() -> list[Row]:
            limit = end - clock()
            async with self._connection(pool, limit) as connection:
                return await self._fetch(connection, sql, args, limit, guard)

        try:
            return await retry(attempt, STATEMENT, on=_resent if again else _undone, deadline=end)
        except Exception as error:
            _raise(error, late=timeout is not None and _is_over(end))

    async def _fetch(
        self, connection: asyncpg.Connection, sql: str, args: Sequence[Any], limit: float, guard: tuple[Any, ...] | None
    ) -> list[Row]:
        # The session's statement_timeout is the usual limit; only a shorter one, or a guard, costs a transaction.
        if guard is None and limit > self.timeout - 1:
            return await connection.fetch(sql, *args, timeout=limit + 1)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {max(1, int(limit * 1000))}")
            if guard is not None:
                await connection.execute(SET_SCOPE, f"{{{guard[0]}}}")
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


def _undone(error: Exception) -> bool:
    """Whether a statement certainly did nothing."""
    return isinstance(error, (*ROLLED_BACK, NotSent))


def _resent(error: Exception) -> bool:
    """Whether a statement that may be sent twice is sent again."""
    return _undone(error) or is_lost(error)


def _refused(error: Exception) -> bool:
    return isinstance(error, LOST)


def _is_over(end: float) -> bool:
    return asyncio.get_running_loop().time() > end - 0.05  # timers may fire a little early


def _raise(error: Exception, *, late: bool = False) -> NoReturn:
    told = translated(error, late=late)
    if told is error:
        raise error  # with the cause that it has
    raise told from error
