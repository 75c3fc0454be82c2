"""Heartbeats tell how far the feed is behind, without a statement of their own."""

import asyncio

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.events.log_poll import lag_of
from ovasabi.kernel.events.subscriptions import Heartbeat, Watch
from tests.integration.kernel.fixtures import admin
from tests.integration.kernel.test_shared_subscriptions import counting_polls
from tests.integration.kernel.watching_fixtures import SOON, begun, events, subscriptions, titles, watch, write

pytestmark = pytest.mark.versions("18", "15")


async def lag_told(one: Watch, least: float) -> float:
    """The first lag that a heartbeat tells which is as long."""
    async with asyncio.timeout(SOON):
        async for item in one:
            assert isinstance(item, Heartbeat)
            if item.lag_seconds is not None and item.lag_seconds >= least:
                return item.lag_seconds
    raise AssertionError("the watch has ended")


async def test_heartbeats_tell_for_how_long_an_open_transaction_has_held_events_back(
    database: Database, database_url: str, campaign: int
) -> None:
    async with counting_polls(database_url) as (own, sent), subscriptions(own) as hub:
        assert lag_of(own).seconds is None
        watches = [watch(hub, campaign, after="now", heartbeat_seconds=0.05) for _ in range(20)]
        for one in watches:
            await begun(one)
        async with admin(database_url) as connection, connection.transaction():
            await connection.fetchval("SELECT pg_current_xact_id()")
            await write(database, campaign, "held")
            sent.clear()
            lags = await asyncio.gather(*(lag_told(one, 1.0) for one in watches))
            assert max(lags) < SOON
            assert len(sent) <= 21 * (max(lags) + 1), "the tail's polls, twenty a second at most"
            assert all("pg_stat_activity" not in text and "pg_locks" not in text for text in sent)
        assert titles(await events(watches[0], 1)) == ["held"]
        await asyncio.sleep(1)

        async def low() -> None:
            item = await anext(watches[0])
            while not (isinstance(item, Heartbeat) and (item.lag_seconds or 0) < 0.9):
                item = await anext(watches[0])

        await asyncio.wait_for(low(), SOON)
