"""The pools: one for each way in which statements are planned, with the size and the settings of its sessions."""

from collections.abc import Mapping
from enum import StrEnum

import asyncpg
import msgspec

from ovasabi.database.roles import APP_ROLE

CUSTOM, GENERIC = "force_custom_plan", "force_generic_plan"
_READ_ONLY = {"default_transaction_read_only": "on"}
# A write finds rows by keys only. A plan that is made while a table is empty would rather read all of it, and a plan
# that is kept would go on doing so when it is full.
_BY_INDEX = {"enable_seqscan": "off"}
_IN_ORDER = dict.fromkeys(("enable_sort", "enable_bitmapscan", "enable_seqscan"), "off")


class Pool(StrEnum):
    """Where a statement runs, which is how it is planned: a setting of its session (decisions 0011 and 0013)."""

    READ = "read"
    """Reads, planned each time with their values, by which those of a partitioned table prune; else they lock every
    leaf of it."""
    FOLLOW_INDEX = "follow_index"
    """Reads of a page in the order of an index, planned each time, and only by an index that has this order: the
    planner, which knows nothing of campaigns, would sort all of one."""
    READ_PLANNED = "read_planned"
    """Reads by functions alone, which have no partitions to prune: planned once in a session."""
    WRITE = "write"
    """Changes, planned each time with their values. In a kept plan PostgreSQL 18 (seen in 18.4, not in 15 and 16)
    prunes at the start of execution, and an update that waited for another one then finds no row: registry and event
    would be written, and the entity not."""
    WRITE_PLANNED = "write_planned"
    """Creates, whose rows find their partitions without the planner: planned once in a session."""

    @property
    def reads(self) -> bool:
        """Whether its sessions may only read."""
        return _TRAITS[self].reads

    def size(self, readers: int, writers: int) -> int:
        """How many connections it has at most, of a process with so many readers and writers."""
        traits = _TRAITS[self]
        return max(1, (readers if traits.reads else writers) // traits.share)

    async def open(self, url: str, size: int, timeout_seconds: float) -> asyncpg.Pool:
        """Connects the first of its connections. `timeout_seconds` is the time that a statement may take."""
        traits = _TRAITS[self]
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=prepare_connection,
            reset=_leave_as_it_is,
            timeout=10,
            command_timeout=timeout_seconds + 2,
            statement_cache_size=1000,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,  # any size: an entity of many fields has statements of 20 KB
            server_settings={
                "role": APP_ROLE,
                "application_name": "ovasabi",
                "search_path": "public, pg_temp",
                "TimeZone": "UTC",
                "plan_cache_mode": traits.plans,
                "jit": "off",
                "max_parallel_workers_per_gather": "0",
                "statement_timeout": f"{int(timeout_seconds * 1000)}",
                "idle_in_transaction_session_timeout": "60000",
                "lock_timeout": "10000",
                **traits.settings,
            },
        )


class _Traits(msgspec.Struct, frozen=True):
    """What sets a pool apart; `share`: it has one connection for so many readers or writers."""

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
    """JSON goes in as the text that the caller encoded, and comes out as Python values."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=_json.decode, format="text")


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Nothing to reset: no statement leaves anything in its session (see docs/decisions/0002)."""
