"""The connection pools: one for each way of planning statements, with its size and the settings of its sessions."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.roles import APP_ROLE, check_session
from ovasabi.database.session import SETTINGS
from ovasabi.database.sockets import watch_over

LOCK_SECONDS = 10.0
"""How long a transaction of several statements waits for a lock, and how long a single statement is sent again."""
STATEMENT_LOCK_SECONDS = 0.25
"""How long a single write waits for a lock: it holds a connection, and may share its statement with others."""
_BEGIN = "BEGIN;"
_BEGIN_PATIENTLY = "BEGIN; SET LOCAL lock_timeout = '10s';"
Connected = Callable[[asyncpg.Connection], Awaitable[None]]
CUSTOM, GENERIC = "force_custom_plan", "force_generic_plan"
_READ_ONLY = {"default_transaction_read_only": "on"}
# Writes find rows by key only. A plan made while a table is empty would prefer a sequential scan, and a cached plan
# would still use it when the table is full.
_BY_INDEX = {"enable_seqscan": "off"}
_IN_ORDER = dict.fromkeys(("enable_sort", "enable_bitmapscan", "enable_seqscan"), "off")


class Session(asyncpg.Connection):
    """A connection whose transactions wait longer for locks than its single statements.

    What it waits is set in the message that begins the transaction, which costs no round trip.
    """

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Runs statements."""
        if query == _BEGIN:  # as the driver's transactions begin
            query = _BEGIN_PATIENTLY
        result: str = await super().execute(query, *args, timeout=timeout)
        return result


class Pool(StrEnum):
    """The pool that a statement runs in, whose session settings decide how it is planned (decisions 0011 and 0013)."""

    READ = "read"
    """Reads, planned each time with their values, so that partitions can be pruned; otherwise they lock every leaf of
    a partitioned table."""
    FOLLOW_INDEX = "follow_index"
    """Reads of a page in the order of an index, planned each time and only with an index in this order: the planner,
    which has no statistics per campaign, would otherwise sort a whole campaign."""
    READ_PLANNED = "read_planned"
    """Reads that only call functions, without partitions to prune: planned once per session."""
    WRITE = "write"
    """Changes, planned each time with their values. With a cached plan, PostgreSQL 18 (seen in 18.4, not in 15 and 16)
    prunes at the start of execution, and an update that waited for another one then finds no row: the registry and the
    event would be written, but not the entity."""
    WRITE_PLANNED = "write_planned"
    """Creates, whose rows are routed to their partitions without the planner: planned once per session."""

    @property
    def reads(self) -> bool:
        """Whether the pool's sessions are read-only."""
        return _TRAITS[self].reads

    def size(self, readers: int, writers: int) -> int:
        """Returns the pool's maximum number of connections in a process with this many readers and writers."""
        traits = _TRAITS[self]
        return max(1, (readers if traits.reads else writers) // traits.share)

    async def open(
        self, url: str, size: int, timeout_seconds: float, connected: Connected | None = None
    ) -> asyncpg.Pool:
        """Creates the pool and opens its first connection. `timeout_seconds` limits each statement.

        `connected` is called with each new connection, before it is used.
        """
        traits = _TRAITS[self]

        async def prepare(connection: asyncpg.Connection) -> None:
            watch_over(connection)
            await check_session(connection)
            await prepare_connection(connection)
            if connected is not None:
                await connected(connection)

        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=prepare,
            reset=_skip_reset,
            connection_class=Session,
            timeout=10,
            command_timeout=timeout_seconds + 2,
            statement_cache_size=1000,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,  # unlimited: an entity with many fields has statements of 20 KB
            server_settings={
                **SETTINGS,
                "role": APP_ROLE,
                "application_name": "ovasabi",
                "plan_cache_mode": traits.plans,
                "jit": "off",
                "max_parallel_workers_per_gather": "0",
                "statement_timeout": f"{int(timeout_seconds * 1000)}",
                "idle_in_transaction_session_timeout": "60000",
                "lock_timeout": f"{int((LOCK_SECONDS if traits.reads else STATEMENT_LOCK_SECONDS) * 1000)}",
                **traits.settings,
            },
        )


class _Traits(msgspec.Struct, frozen=True):
    """The settings of a pool. `share` is the number of readers or writers per connection."""

    reads: bool
    share: int
    plans: str
    settings: Mapping[str, str]


_TRAITS = {
    Pool.READ: _Traits(True, 1, CUSTOM, _READ_ONLY),
    Pool.FOLLOW_INDEX: _Traits(True, 1, CUSTOM, _READ_ONLY | _IN_ORDER),
    Pool.READ_PLANNED: _Traits(True, 2, GENERIC, _READ_ONLY),
    Pool.WRITE: _Traits(False, 1, CUSTOM, _BY_INDEX),
    Pool.WRITE_PLANNED: _Traits(False, 2, GENERIC, _BY_INDEX),
}

_json = msgspec.json.Decoder()


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """Sets the JSON codec: parameters are text that the caller has encoded, results are decoded to Python values."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=_json.decode, format="text")


async def _skip_reset(connection: asyncpg.Connection) -> None:
    """Does nothing: no statement changes the state of its session (see docs/decisions/0002)."""
