"""Connections: one pool for reads, one for writes, each session in the application's role and bounded in time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, TypeVar, cast

import asyncpg
import msgspec

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded

APP_ROLE = "ovasabi_app"
OWNER_ROLE = "ovasabi_owner"
SEARCH_ROLE = "ovasabi_search"

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

type_decoder = msgspec.json.Decoder()
Row = asyncpg.Record


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """JSON goes in as the text that the caller encoded, and comes out as Python values."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=str, decoder=type_decoder.decode, format="text"
    )


async def _keep(connection: asyncpg.Connection) -> None:
    """Nothing to reset: no statement leaves anything in its session (see docs/decisions/0002)."""


class Plan(StrEnum):
    """How a statement is planned, which is a setting of its connection (see docs/decisions/0011)."""

    CUSTOM = "force_custom_plan"
    """Each time, with its values: what reads or updates a partitioned table prunes by them."""
    KEPT = "force_generic_plan"
    """Once: creates, whose rows find their partitions without the planner, and what reads by functions alone."""


class Database:
    """The pools. `read` and `write` run one statement in one round trip; `transaction` runs several as one."""

    def __init__(self, url: str, *, readers: int = 8, writers: int = 8, timeout_seconds: float = 30.0) -> None:
        self.url = url
        self.timeout = timeout_seconds
        self._sizes = (readers, writers)
        self._reader: asyncpg.Pool | None = None
        self._pager: asyncpg.Pool | None = None
        self._keeper: asyncpg.Pool | None = None
        self._writer: asyncpg.Pool | None = None
        self._creator: asyncpg.Pool | None = None

    async def open(self) -> "Database":
        """Connects; waits, bounded by the timeout, for a server that is just starting."""
        readers, writers = self._sizes
        # Reads of partitioned tables must be planned with their values, or they lock every leaf. So must updates: in a
        # generic plan, PostgreSQL 18 (seen in 18.4, not in 15 and 16) prunes at the start of execution, and an update
        # that waited for another one then finds no row: registry and event would be written, and the entity not.
        self._reader = await self._pool(readers, Plan.CUSTOM, default_transaction_read_only="on")
        # A page of a list in the order of an index: the planner, who knows nothing of campaigns, would sort all of one.
        in_order = dict.fromkeys(("enable_sort", "enable_bitmapscan", "enable_seqscan"), "off")
        self._pager = await self._pool(readers, Plan.CUSTOM, default_transaction_read_only="on", **in_order)
        # What reads by functions alone has no partitions to prune: its plan is kept.
        self._keeper = await self._pool(max(1, readers // 2), Plan.KEPT, default_transaction_read_only="on")
        # A write finds rows by keys only. A plan that is made while a table is empty would rather read all of it, and a
        # plan that is kept would go on doing so when it is full.
        self._writer = await self._pool(writers, Plan.CUSTOM, enable_seqscan="off")
        self._creator = await self._pool(max(1, writers // 2), Plan.KEPT, enable_seqscan="off")
        return self

    async def close(self) -> None:
        """Closes the pools; connections in use get a moment to finish."""
        for pool in (self._reader, self._pager, self._keeper, self._writer, self._creator):
            if pool is not None:
                try:
                    async with asyncio.timeout(5):
                        await pool.close()
                except (TimeoutError, *LOST):
                    pool.terminate()
        self._reader = self._pager = self._keeper = self._writer = self._creator = None

    async def read(
        self,
        sql: str,
        *args: Any,
        timeout: float | None = None,
        in_order: bool = False,
        plan: Plan = Plan.CUSTOM,
    ) -> list[Row]:
        """Runs one reading statement; sent again on a new connection if the old one is lost.

        `in_order` says that it asks for a page in the order of an index, and that the index is to be followed.
        """
        pool = self._pager if in_order else self._keeper if plan is Plan.KEPT else self._reader
        return await self._run(pool, sql, args, timeout, again=True)

    async def write(
        self,
        sql: str,
        *args: Any,
        timeout: float | None = None,
        again: bool = False,
        guard: tuple[Any, ...] | None = None,
        plan: Plan = Plan.CUSTOM,
    ) -> list[Row]:
        """Runs one writing statement. `again` says that it may be sent twice (it carries idempotency keys).

        `guard` are the arguments of `require_lease`: the statement then runs in one transaction behind that check.
        """
        pool = self._creator if plan is Plan.KEPT else self._writer
        return await self._run(pool, sql, args, timeout, again=again, guard=guard)

    @asynccontextmanager
    async def transaction(self, timeout: float | None = None) -> AsyncIterator[asyncpg.Connection]:
        """One transaction on a writing connection; rolled back if the block fails or is cancelled."""
        limit = timeout or self.timeout
        clock = asyncio.get_running_loop().time
        end = clock() + limit - PAUSE_SECONDS
        try:
            async with self._connection(self._writer, limit) as connection, connection.transaction():
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
        pool: asyncpg.Pool | None,
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
    async def _connection(self, pool: asyncpg.Pool | None, limit: float) -> AsyncIterator[asyncpg.Connection]:
        if pool is None:
            raise DatabaseUnavailable(reason="the connection pool is closed")
        try:
            connection = await pool.acquire(timeout=limit)
        except (TimeoutError, asyncpg.PostgresError, *LOST) as error:
            # Whatever the server says to a new session, such as that there are too many: nothing was sent.
            raise NotSent(*error.args) from error
        try:
            yield cast("asyncpg.Connection", connection)
        finally:
            await pool.release(connection, timeout=5)

    async def _pool(self, size: int, plan: Plan, **settings: str) -> asyncpg.Pool:
        async def make() -> asyncpg.Pool:
            return await asyncpg.create_pool(
                self.url,
                min_size=1,
                max_size=size,
                init=prepare_connection,
                reset=_keep,
                timeout=10,
                command_timeout=self.timeout + 2,
                statement_cache_size=1000,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,  # any size: an entity of many fields has statements of 20 KB
                server_settings={
                    "role": APP_ROLE,
                    "application_name": "ovasabi",
                    "search_path": "public, pg_temp",
                    "TimeZone": "UTC",
                    "plan_cache_mode": plan.value,
                    "jit": "off",
                    "max_parallel_workers_per_gather": "0",
                    "statement_timeout": f"{int(self.timeout * 1000)}",
                    "idle_in_transaction_session_timeout": "60000",
                    "lock_timeout": "10000",
                    **settings,
                },
            )

        return await patiently(make, self.timeout)


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
