"""Each pool has the plans and the limits that its name promises, and no more connections than were granted."""

import asyncio

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from tests.integration.kernel.fixtures import admin, eventually, pools

NAMES = "'plan_cache_mode', 'default_transaction_read_only', 'enable_seqscan', 'enable_sort', 'enable_bitmapscan'"
SETTINGS = f"SELECT name, setting FROM pg_settings WHERE name IN ({NAMES})"
EXPECTED = {
    Pool.READ: ("force_custom_plan", "on", "on", "on", "on"),
    Pool.FOLLOW_INDEX: ("force_custom_plan", "on", "off", "off", "off"),
    Pool.READ_PLANNED: ("force_generic_plan", "on", "on", "on", "on"),
    Pool.WRITE: ("force_custom_plan", "off", "off", "on", "on"),
    Pool.WRITE_PLANNED: ("force_generic_plan", "off", "off", "on", "on"),
}
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ovasabi'"


@pytest.mark.parametrize("pool", Pool)
async def test_the_sessions_of_a_pool_have_its_settings(database: Database, pool: Pool) -> None:
    ask = database.read if pool.reads else database.write
    found = {row["name"]: row["setting"] for row in await ask(SETTINGS, pool=pool)}
    assert tuple(found[name.strip("' ")] for name in NAMES.split(",")) == EXPECTED[pool]


async def test_under_any_load_there_are_no_more_sessions_than_the_sizes_allow(empty_url: str) -> None:
    async with pools(empty_url, readers=3, writers=5) as database, admin(empty_url) as connection:
        assert await connection.fetchval(SESSIONS) == len(Pool), "one of each to begin with"
        asks = [(database.read if pool.reads else database.write, pool) for pool in Pool]
        await asyncio.gather(*(ask("SELECT pg_sleep(0.05)", pool=pool) for ask, pool in asks for _ in range(20)))
        assert await connection.fetchval(SESSIONS) == 3 + 3 + 1 + 5 + 2
    async with admin(empty_url) as connection:

        async def closed() -> bool:
            return await connection.fetchval(SESSIONS) == 0

        await eventually(closed)


def test_a_process_of_one_reader_and_one_writer_has_one_connection_of_each_pool() -> None:
    assert [pool.size(1, 1) for pool in Pool] == [1] * len(Pool)
