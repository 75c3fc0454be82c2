"""The database as the kernel uses it: single statements on pooled connections, and transactions of several."""

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, NoReturn, cast

import asyncpg

from ovasabi.database.background import in_background
from ovasabi.database.failures import LOST, ROLLED_BACK, NotSent, is_locked, is_lost, translated
from ovasabi.database.faults import THE_DATABASE, Faults
from ovasabi.database.pending_lists import MERGE, PendingLists
from ovasabi.database.pools import LOCK_SECONDS, STATEMENT_LOCK_SECONDS, Connected, Pool
from ovasabi.database.present import Present
from ovasabi.database.retry import STATEMENT, Policy, retry
from ovasabi.database.secret_keys import SecretKeys
from ovasabi.database.shapes import Shapes
from ovasabi.database.sql import SET_SCOPE
from ovasabi.database.turns import Turns
from ovasabi.errors import DatabaseUnavailable

CLEAN_SECONDS = 5.0
"""How long a server has to end what was abandoned; then the connection is terminated."""
CLOSE_SECONDS = 5.0
"""How long connections in use may go on when the pools are closed."""
_STARTING = Policy(first=0.1, longest=0.3)
"""Retries until a server that is still starting accepts connections."""
_LOCKED = Policy(first=0.02, longest=0.25, seconds=LOCK_SECONDS)
"""Retries of a single write that waited for a lock in vain. Between them, it holds no connection."""

# The caller gets an error for a lost connection; the pool would log its stack trace as well.
logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)

Row = asyncpg.Record


class Database:
    """The connection pools. `read` and `write` run one statement in one round trip; `transaction` runs several."""

    def __init__(
        self,
        url: str,
        *,
        readers: int = 8,
        writers: int = 8,
        timeout_seconds: float = 30.0,
        connected: Connected | None = None,
        name: str = THE_DATABASE,
        months_ahead: int = 2,
        secret_keys: SecretKeys | None = None,
    ) -> None:
        self.url = url
        self.months_ahead = months_ahead
        self.faults = Faults(name)
        self.timeout = timeout_seconds
        self.secret_keys = secret_keys
        """Without them, which no command does, nothing is sealed."""
        self._connected = connected
        self._sizes = (readers, writers)
        self._pools: dict[Pool, asyncpg.Pool] = {}
        self._suspected = 0.0
        self.present = Present()
        self._shapes = Shapes()
        self._turns = Turns(max(1, writers // 2))
        self.pending_lists = PendingLists(partial(self.write, MERGE))

    async def open(self) -> "Database":
        """Connects. Waits up to the timeout for a server that is still starting."""
        clock = asyncio.get_running_loop().time
        for pool in Pool:
            connect = partial(pool.open, self.url, pool.size(*self._sizes), self.timeout, self._connected)
            try:
                self._pools[pool] = await retry(connect, _STARTING, on=_refused, deadline=clock() + self.timeout)
            except LOST as error:
                self._raise(error)
        return self

    async def close(self) -> None:
        """Closes the pools. Connections in use have a few seconds to finish, all of them together."""
        await self.pending_lists.close()
        await asyncio.gather(*(_closed(pool) for pool in self._pools.values()))
        self._pools.clear()

    def usage(self) -> dict[Pool, tuple[int, int, int]]:
        """Returns of each open pool how many connections it has, how many of them are idle, and the most of them."""
        return {
            name: (pool.get_size(), pool.get_idle_size(), pool.get_max_size()) for name, pool in self._pools.items()
        }

    async def read(
        self, sql: str, *args: Any, timeout: float | None = None, pool: Pool = Pool.READ, shaped: bool = False
    ) -> list[Row]:
        """Runs one reading statement; resends it on a new connection if the connection is lost.

        Set `shaped` if a caller shapes it: few such statements are kept prepared, the others take two round trips.
        """
        kept = not shaped or self._shapes.keeps(sql, asyncio.get_running_loop().time())
        return await self._run(pool, sql, args, timeout, again=True, kept=kept)

    async def write(
        self,
        sql: str,
        *args: Any,
        timeout: float | None = None,
        again: bool = False,
        guard: tuple[Any, ...] | None = None,
        pool: Pool = Pool.WRITE,
        lock_wait: float | None = None,
    ) -> list[Row]:
        """Runs one writing statement. Set `again` if it may be sent twice, because it carries idempotency keys.

        With `lock_wait`, it waits so many seconds for a lock and then fails; without, it is sent again for a while.
        `guard` holds the arguments of `require_lease`: the statement then runs in one transaction with that check.
        """
        run = partial(self._run, pool, sql, args, timeout, again=again, guard=guard, lock_wait=lock_wait)
        if lock_wait is not None:
            rows = await run()
        else:
            end = None if timeout is None else asyncio.get_running_loop().time() + timeout
            rows = await retry(run, _LOCKED, on=is_locked, deadline=end)
        self.faults.accepted()
        return rows

    @asynccontextmanager
    async def transaction(
        self, timeout: float | None = None, holder: Hashable = None
    ) -> AsyncIterator[asyncpg.Connection]:
        """Runs the block as one transaction on a writing connection; rolls back if it fails or is cancelled.

        Those of one holder, such as a campaign, have at most half of the connections: they may all wait for a lock.
        """
        limit = timeout or self.timeout
        end = asyncio.get_running_loop().time() + limit
        try:
            async with (
                self._turn(holder, end),
                self._connection(Pool.WRITE, end - asyncio.get_running_loop().time()) as connection,
                _transaction(connection, end),
            ):
                if limit < self.timeout:
                    await _execute(connection, f"SET LOCAL statement_timeout = {max(1, int(limit * 1000))}", end)
                yield connection
            self.faults.accepted()
        except Exception as error:
            self._note(error, change=True)
            self._raise(error, late=timeout is not None and _is_over(end))

    @asynccontextmanager
    async def _turn(self, holder: Hashable, end: float) -> AsyncIterator[None]:
        async with AsyncExitStack() as entered:
            try:
                await entered.enter_async_context(self._turns.turn(holder, end))
            except TimeoutError as error:
                raise NotSent(*error.args) from error
            yield

    async def _run(
        self,
        pool: Pool,
        sql: str,
        args: Sequence[Any],
        timeout: float | None,
        *,
        again: bool,
        guard: tuple[Any, ...] | None = None,
        kept: bool = True,
        lock_wait: float | None = None,
    ) -> list[Row]:
        clock = asyncio.get_running_loop().time
        end = clock() + (timeout or self.timeout)

        async def attempt() -> list[Row]:
            limit = end - clock()
            async with self._connection(pool, limit) as connection:
                return await self._fetch(connection, sql, args, limit, guard, kept, lock_wait or STATEMENT_LOCK_SECONDS)

        try:
            return await retry(attempt, STATEMENT, on=_is_resendable if again else _had_no_effect, deadline=end)
        except Exception as error:
            self._note(error, change=not pool.reads)
            self._raise(error, late=timeout is not None and _is_over(end))

    async def _fetch(
        self,
        connection: asyncpg.Connection,
        sql: str,
        args: Sequence[Any],
        limit: float,
        guard: tuple[Any, ...] | None,
        kept: bool,
        lock_wait: float,
    ) -> list[Row]:
        # The session has the usual limits; only shorter ones, or a guard, need a transaction.
        if guard is None and limit > self.timeout - 1 and lock_wait >= STATEMENT_LOCK_SECONDS:
            return await _rows(connection, sql, args, limit, kept)
        end = asyncio.get_running_loop().time() + limit
        async with _transaction(connection, end):
            limits = {"statement_timeout": limit, "lock_timeout": lock_wait}
            sets = (f"SET LOCAL {name} = {max(1, int(seconds * 1000))}" for name, seconds in limits.items())
            await _execute(connection, "; ".join(sets), end)
            if guard is not None:
                await _execute(connection, SET_SCOPE, end, f"{{{guard[0]}}}")
                await _execute(connection, "SELECT require_lease($1, $2, $3)", end, *guard)
            return await _rows(connection, sql, args, limit, kept)

    @asynccontextmanager
    async def _connection(self, pool: Pool, limit: float) -> AsyncIterator[asyncpg.Connection]:
        if pool not in self._pools:
            raise DatabaseUnavailable(reason="the connection pool is closed") from NotSent()
        opened = self._pools[pool]
        try:
            connection = await opened.acquire(timeout=limit)
        except (TimeoutError, asyncpg.PostgresError, *LOST) as error:
            # Whatever error the server returns to a new session, such as too many connections: nothing was sent.
            raise NotSent(*error.args) from error
        try:
            yield cast("asyncpg.Connection", connection)
        except (asyncio.CancelledError, TimeoutError, GeneratorExit):
            # The server may not respond, and nobody who waits is to wait for it: neither a caller nor a stop.
            in_background(_cleaned(opened, connection))
            raise
        except BaseException:
            await opened.release(connection, timeout=CLEAN_SECONDS)
            raise
        await opened.release(connection, timeout=CLEAN_SECONDS)

    def _raise(self, error: Exception, *, late: bool = False) -> NoReturn:
        translation = translated(error, late=late, server=self.faults.one_of_several)
        if translation is error:
            raise error  # keeps its own cause
        raise translation from error

    def _note(self, error: Exception, *, change: bool) -> None:
        """Notes an error. After a connection was lost or did not respond, the idle ones are suspected, too."""
        self.faults.note(error, change=change)
        now = asyncio.get_running_loop().time()
        unanswered = isinstance(error, TimeoutError) and not isinstance(error, NotSent)
        if (unanswered or (is_lost(error) and not isinstance(error, NotSent))) and now > self._suspected + 1:
            self._suspected = now
            for opened in self._pools.values():
                in_background(opened.expire_connections())


@asynccontextmanager
async def _transaction(connection: asyncpg.Connection, end: float) -> AsyncIterator[None]:
    """Runs the block as a transaction; a server that does not respond keeps nobody waiting after the deadline."""
    # Entered by hand, so that it can also be left to others; the driver warns of one that was started and not ended.
    transaction = connection.transaction()
    async with asyncio.timeout_at(end):
        await transaction.__aenter__()
    try:
        yield
    except (asyncio.CancelledError, TimeoutError, GeneratorExit):
        raise  # whoever gives the connection back ends its transaction, in the background
    except BaseException as error:
        with suppress(TimeoutError, asyncpg.PostgresError, *LOST):
            async with asyncio.timeout(CLEAN_SECONDS):
                await transaction.__aexit__(type(error), error, None)
        raise
    async with asyncio.timeout_at(end + 1):
        await transaction.__aexit__(None, None, None)


async def _rows(connection: asyncpg.Connection, sql: str, args: Sequence[Any], limit: float, kept: bool) -> list[Row]:
    if kept:
        return await connection.fetch(sql, *args, timeout=limit + 1)
    # The session forgets a statement without a name as soon as it gets the next one.
    statement = await connection.prepare(sql, name="", timeout=limit + 1)
    return await statement.fetch(*args, timeout=limit + 1)


async def _execute(connection: asyncpg.Connection, sql: str, end: float, *args: Any) -> None:
    await connection.execute(sql, *args, timeout=max(0.001, end + 1 - asyncio.get_running_loop().time()))


async def _cleaned(pool: asyncpg.Pool, connection: Any) -> None:
    """Gives a connection back whose statement was abandoned: its transaction is rolled back, or it is terminated."""
    try:
        async with asyncio.timeout(CLEAN_SECONDS):
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
    except (TimeoutError, asyncpg.PostgresError, *LOST):
        connection.terminate()
    with suppress(TimeoutError, asyncpg.PostgresError, *LOST):
        await pool.release(connection, timeout=CLEAN_SECONDS)


async def _closed(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, asyncio.CancelledError, *LOST):
        pool.terminate()


def _had_no_effect(error: Exception) -> bool:
    """Returns whether the failed statement certainly had no effect."""
    return isinstance(error, (*ROLLED_BACK, NotSent))


def _is_resendable(error: Exception) -> bool:
    """Returns whether to resend a failed statement that may be sent twice."""
    return _had_no_effect(error) or is_lost(error)


def _refused(error: Exception) -> bool:
    return isinstance(error, LOST)


def _is_over(end: float) -> bool:
    return asyncio.get_running_loop().time() > end - 0.05  # timers may fire a little early
