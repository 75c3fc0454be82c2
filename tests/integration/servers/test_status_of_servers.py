"""What `ovasabi status`, the log and readiness tell is asked of every server, and names the server that it is about."""

import asyncio
import json
from typing import Any

import pytest

from ovasabi import runtime, servers
from ovasabi.kernel.service.shards import HOME
from ovasabi.lifecycle import log_holders
from ovasabi.lifecycle.transaction_ages import TransactionAges
from tests.command_line import run_async
from tests.integration.kernel.fixtures import admin, eventually, pools
from tests.integration.servers.conftest import OTHER, Place

DAYS_AHEAD = "SELECT setval('id_clock', last_value + (100::bigint * 86400000 << 12)) FROM id_clock"


async def status(place: Place) -> dict[str, Any]:
    """The report."""
    return await runtime.status(place.home.url(), place.settings)


@pytest.mark.parametrize("number", [HOME, OTHER])
async def test_what_holds_the_feed_of_a_server_back_is_told_with_its_name(
    place: Place, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_holders, "TOLD_AFTER_SECONDS", 0.0)
    url = (place.other if number else place.home).url()
    async with admin(url) as connection:
        await connection.execute("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'left'")
        try:
            held = [each for each in (await status(place))["feed_held_by"] if "'left'" in each]
            assert len(held) == 1
            report = await status(place)
            own = report["other_servers"][OTHER] if number else report
            assert own["feed_lag_seconds"] >= 0
            assert "'left'" in own["oldest_transaction"]["session"]
            assert own["oldest_transaction"]["seconds"] >= own["feed_lag_seconds"]
            assert held[0].startswith(f"server {number}: prepared transaction 'left' in database")
            async with pools(place.home.url()) as home, pools(place.other.url()) as other:
                every = {HOME: home, OTHER: other}
                assert await TransactionAges().oldest(every[number].read) > 0, "of a prepared one it is known at once"
                keeping = asyncio.create_task(servers._maintain(every, number, place.settings, look_seconds=0.1))

                async def logged() -> bool:
                    records = [record.getMessage() for record in caplog.records if "held back" in record.getMessage()]
                    return any(text.startswith(f"server {number}: new events cannot be read") for text in records)

                await eventually(logged)
                keeping.cancel()
        finally:
            await connection.execute("ROLLBACK PREPARED 'left'")
    assert not [each for each in (await status(place))["feed_held_by"] if "'left'" in each]


async def test_the_state_of_each_server_is_told(place: Place) -> None:
    report = await status(place)
    own = report["other_servers"][OTHER]
    assert (own["server_number"], own["writable"], own["partitions_missing"]) == (OTHER, True, [])
    assert own["ids_ahead_seconds"] == 0
    for name in ("postgresql", "migration_current", "leaves", "log_epoch"):
        assert own[name] is not None, name
    last = await place.value(OTHER, "SELECT last_value FROM id_clock")
    await place.value(OTHER, DAYS_AHEAD)
    try:
        report = await status(place)
        own = report["other_servers"][OTHER]
        assert own["ids_ahead_seconds"] > 99 * 86400
        assert any(name.startswith("service_content_main_pool_") for name in own["partitions_missing"])
        assert (report["next_step"], report["ids_ahead_seconds"]) == ("Run: ovasabi migrate", 0)
        ready = (await place.client.get("/readyz")).json()
        assert ready["status"] == ready["servers"][str(HOME)] == "ready"
        assert "there are no partitions for" in ready["servers"][str(OTHER)]
    finally:
        await place.value(OTHER, f"SELECT setval('id_clock', {last} + 3200)")


async def test_a_server_that_is_read_only_needs_attention(place: Place) -> None:
    async with admin(place.other.url()) as connection:
        await connection.execute("ALTER DATABASE ovasabi SET default_transaction_read_only = on")
        try:
            report = await status(place)
            assert report["other_servers"][OTHER]["writable"] is False
            assert report["next_step"].startswith(f"Of server {OTHER}: The database is read-only")
            env = {"OVASABI_HOME": str(place.folder), "OVASABI_DATABASE_URL": place.home.url()}
            env |= {"OVASABI_SHARDS": place.settings.shards.get_secret_value(), "PATH": ""}
            told = await run_async("status", env=env)
            assert told.returncode == 4
            assert f"\nserver {OTHER} " in told.stdout
            assert "writable no" in told.stdout
            as_json = json.loads((await run_async("status", "--json", env=env)).stdout)
            assert as_json["other_servers"][str(OTHER)]["writable"] is False
        finally:
            await connection.execute("ALTER DATABASE ovasabi RESET ALL")
