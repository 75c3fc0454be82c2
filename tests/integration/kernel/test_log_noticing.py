"""A running process notices that the log has moved: with each new connection, and once a minute without one."""

import asyncio
from contextlib import suppress

import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.events.cursors import epoch_of
from ovasabi.kernel.events.log_poll import position_of
from ovasabi.lifecycle import log_epochs
from ovasabi.servers import _maintain, pools
from ovasabi.settings import Settings
from tests.integration.kernel.fixtures import admin, eventually, make_campaign
from tests.integration.kernel.test_log_epochs import MOVES, all_events, epochs, log
from tests.integration.kernel.watching_fixtures import titles, write

__all__ = ["log"]  # a fixture

TAKEN_OVER, REASON = MOVES["another timeline"]


async def take_over(url: str) -> None:
    """Lets the log look as it does where a standby has taken over, with connections that are kept."""
    async with admin(url) as connection:
        await connection.execute(str(TAKEN_OVER))


async def lose_connections(url: str) -> None:
    """Ends all connections of the application."""
    async with admin(url) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def write_again(database: Database, campaign: int, title: str) -> None:
    """Writes, as a client does that repeats what was sent on a connection that was lost."""
    for _ in range(10):
        with suppress(DatabaseUnavailable):
            await write(database, campaign, title)
            return
    raise AssertionError("the connections were not replaced")


async def test_a_process_notices_within_a_minute_without_a_new_connection(
    log: Database, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = asyncio.create_task(_maintain({0: log}, 0, Settings(), look_seconds=0.1))
    try:
        await asyncio.sleep(0.5)
        assert await epochs(log.url) == [0]
        await take_over(log.url)

        async def begun() -> bool:
            return len(await epochs(log.url)) == 2

        await eventually(begun)
        await asyncio.sleep(0.5)
        assert len(await epochs(log.url)) == 2, "one epoch for one move"
    finally:
        keeping.cancel()
    assert [record.message for record in caplog.records if REASON in record.message]


async def test_the_first_write_on_a_server_that_has_taken_over_is_in_the_new_epoch(log: Database) -> None:
    database = await pools(0, log.url, Settings()).open()
    try:
        campaign = await make_campaign(database)
        await write(database, campaign, "before")
        await take_over(log.url)
        await lose_connections(log.url)
        await asyncio.gather(*(write_again(database, campaign, f"after {number}") for number in range(5)))
        found = await all_events(database, campaign)
        first, present = await epochs(log.url)
        by_epoch = {title: epoch_of(position_of(event)) for event, title in zip(found, titles(found), strict=True)}
        assert by_epoch["before"] == first
        assert {by_epoch[f"after {number}"] for number in range(5)} == {present}
    finally:
        await database.close()


async def test_what_goes_wrong_with_a_look_does_not_keep_connections_away(log: Database) -> None:
    async with admin(log.url) as connection:
        await connection.execute("REVOKE EXECUTE ON FUNCTION log_arrived() FROM ovasabi_app")
    await take_over(log.url)
    told: list[str] = []
    database = await Database(log.url, connected=log_epochs.noticing(log.url, told.append)).open()
    try:
        assert (await database.read("SELECT 1 AS one"))[0]["one"] == 1
    finally:
        await database.close()
    assert (told, await epochs(log.url)) == ([], [0])


async def test_statements_on_connections_that_exist_are_not_preceded_by_a_look(log: Database) -> None:
    looks = 0

    async def connected(_: object) -> None:
        nonlocal looks
        looks += 1

    database = await Database(log.url, readers=1, writers=1, connected=connected).open()
    try:
        opened = looks
        for _ in range(20):
            await database.read("SELECT 1")
            await database.write("SELECT 1")
        assert looks == opened
    finally:
        await database.close()
