"""An open transaction in any database of the server holds the feed back: it is named, with what to do."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.lifecycle import log_holders
from ovasabi.lifecycle.log_holders import Holder
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin
from tests.integration.kernel.test_log_epochs import all_events
from tests.integration.kernel.watching_fixtures import titles, write


@pytest_asyncio.fixture
async def elsewhere(server: EmbeddedServer) -> AsyncIterator[asyncpg.Connection]:
    """A connection to another database of the same server."""
    async with fresh(server) as url, admin(url) as connection:
        yield connection


async def held_by(database: Database, pid: int) -> list[Holder]:
    """What is said of a process."""
    return [each for each in await log_holders.holders(database.read) if each.pid == pid]


async def test_a_transaction_in_another_database_holds_the_feed_back_and_is_named(
    database: Database, campaign: int, elsewhere: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, name = elsewhere.get_server_pid(), await elsewhere.fetchval("SELECT current_database()")
    async with elsewhere.transaction():
        await elsewhere.fetchval("SELECT pg_current_xact_id()")
        await write(database, campaign, "held")
        monkeypatch.setattr(log_holders, "TOLD_AFTER_SECONDS", 0.2)
        await asyncio.sleep(0.3)
        assert "held" not in titles(await all_events(database, campaign))
        await elsewhere.execute("SET application_name = 'holder'")
        async with admin(database.url) as superuser:
            (holder,) = [each for each in await log_holders.holders(superuser.fetch) if each.pid == pid]
        assert (holder.database, holder.state) == (name, "idle in transaction")
        assert holder.seconds is not None
        assert 0.2 < holder.seconds < 60
        assert str(holder).startswith(f"process {pid} of {holder.login} (holder) in database {name} for ")
        assert f"SELECT pg_terminate_backend({pid})" in str(holder)
        (seen,) = await held_by(database, pid)  # the application sees what holds the feed back, but not since when
        assert (seen.database, seen.seconds) == (name, None)
        assert (seen.login, seen.application) == (holder.login, "holder")
        async with admin(database.url) as superuser:
            told = await log_holders.state(superuser.fetch)
        assert told["feed_lag_seconds"] > 0.2
        assert [text for text in told["feed_held_by"] if f"process {pid} of" in text]
    assert titles(await all_events(database, campaign))[-1] == "held"
    assert await held_by(database, pid) == []


async def test_a_transaction_that_only_reads_holds_nothing_back(
    database: Database, campaign: int, elsewhere: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_holders, "TOLD_AFTER_SECONDS", 0.0)
    async with elsewhere.transaction(isolation="repeatable_read"):
        await elsewhere.fetch("SELECT 1 FROM pg_class")
        await write(database, campaign, "read at once")
        assert titles(await all_events(database, campaign))[-1] == "read at once"
        assert await held_by(database, elsewhere.get_server_pid()) == []
        await asyncio.sleep(0.2)
        async with admin(database.url) as superuser:
            oldest = (await log_holders.state(superuser.fetch))["oldest_transaction"]
            assert oldest["seconds"] >= 0.2
            pid = await superuser.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE xact_start IS NOT NULL AND backend_type = 'client backend' "
                "ORDER BY xact_start LIMIT 1"
            )
        assert oldest["session"].startswith(f"process {pid} of ")
