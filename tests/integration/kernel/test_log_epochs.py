"""A log on another server begins a new epoch: its readers go on, and cursors that are not of it are refused."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.events.cursors import cursor_of, epoch_of, packed, parse_cursor
from ovasabi.kernel.events.log import Event, follow, read_events
from ovasabi.kernel.events.log_end import CursorUnknown
from ovasabi.kernel.events.log_poll import end_of_log, position_of
from ovasabi.kernel.search.generations import Generations
from ovasabi.lifecycle import log_epochs
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, caught, contents, eventually, make_campaign, pools, waiting, within
from tests.integration.kernel.watching_fixtures import begun, events, subscriptions, titles, watch, write

FAR = 1 << 40
"""A transaction that no server here has reached."""
MOVES = {
    "another server": ("UPDATE log_epoch SET server = server + 1", "The database is on another server."),
    "another database": (
        "UPDATE log_epoch SET database = 1",
        "The database was copied or restored on the same server.",
    ),
    "another timeline": (
        "UPDATE log_epoch SET timeline = 'FFFFFFFF'",
        "The server continues on another timeline: it was restored, or its standby took over.",
    ),
    "events of another server": (None, "The log has events from another server."),
}


@pytest_asyncio.fixture
async def log(migrated_url: str) -> AsyncIterator[Database]:
    """A log of the test's own, in its first epoch."""
    await log_epochs.arrive(migrated_url)
    async with pools(migrated_url) as opened:
        yield opened


async def all_events(database: Database, campaign: int, after: str | None = None) -> list[Event]:
    """The events after a cursor, page by page."""
    with within(campaign):
        return [event async for page in follow(database, after=after, batch=3) for event in page]


async def epochs(url: str) -> list[int]:
    """The epochs of a log, the present one last."""
    async with admin(url) as connection:
        return [row["epoch"] for row in await connection.fetch("SELECT epoch FROM log_epoch ORDER BY 1")]


async def copied_from_afar(url: str, transaction: int) -> None:
    """Gives the newest event the position that it had on another server, as logical replication would."""
    async with admin(url) as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        newest = "(SELECT id FROM service_event ORDER BY xid DESC, id DESC LIMIT 1)"
        await connection.execute(f"UPDATE service_event SET xid = '{transaction}' WHERE id = {newest}")


async def test_a_log_at_home_keeps_its_epoch(log: Database) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a", "b")
    assert [await log_epochs.arrive(log.url) for _ in range(3)] == [None] * 3
    assert await epochs(log.url) == [0]
    assert {epoch_of(position_of(event)) for event in await all_events(log, campaign)} == {0}


@pytest.mark.parametrize("why", MOVES)
async def test_a_log_that_moved_begins_one_new_epoch_and_its_readers_go_on(log: Database, why: str) -> None:
    statement, told = MOVES[why]
    campaign = await make_campaign(log)
    await write(log, campaign, "a", "b", "c")
    if statement is None:
        await copied_from_afar(log.url, FAR)
    else:
        async with admin(log.url) as connection:
            await connection.execute(statement)
    reasons = await asyncio.gather(*(log_epochs.arrive(log.url) for _ in range(4)))
    assert [reason for reason in reasons if reason is not None] == [told]
    first, present = await epochs(log.url)
    assert (first, 1 <= present <= 16) == (0, True)
    old = await all_events(log, campaign)
    assert titles(old)[-3:] == ["a", "b", "c"]
    await write(log, campaign, "d", "e")
    for number, event in enumerate(old):
        found = await all_events(log, campaign, event.cursor)
        assert titles(found) == [*titles(old[number + 1 :]), "d", "e"]
    assert {epoch_of(position_of(event)) for event in found} == {present}
    assert await log_epochs.arrive(log.url) is None


async def test_a_copy_of_a_database_on_the_same_server_begins_an_epoch_of_its_own(
    server: EmbeddedServer, migrated_url: str, log: Database
) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    await log.close()
    name = urlsplit(migrated_url).path.removeprefix("/")
    async with fresh(server, name) as copy:
        assert await log_epochs.arrive(copy) == MOVES["another database"][1]
        async with pools(copy) as opened:
            await write(opened, campaign, "b")
            assert titles(await all_events(opened, campaign))[-2:] == ["a", "b"]
        assert await log_epochs.arrive(migrated_url) is None


async def test_positions_of_an_epoch_that_the_database_does_not_know_yet_are_passed(log: Database) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    await copied_from_afar(log.url, packed(700, 5))
    assert await log_epochs.arrive(log.url) == MOVES["events of another server"][1]
    first, copied, present = await epochs(log.url)
    assert (first, copied) == (0, 700)
    assert present > 700
    await write(log, campaign, "b")
    found = await all_events(log, campaign)
    assert titles(await all_events(log, campaign, found[-2].cursor)) == ["b"]


async def test_a_writer_of_the_last_epoch_ends_before_the_new_one_begins(log: Database) -> None:
    campaign = await make_campaign(log)
    with within(campaign):
        async with transaction(log):
            await contents(log).create({"title": "old"})
            beginning = asyncio.create_task(log_epochs.begin(log.url, "a test"))
            await eventually(waiting(log.url))
            assert not beginning.done()
        present = await beginning
        await contents(log).create({"title": "new"})
    found = await all_events(log, campaign)
    assert [epoch_of(position_of(event)) for event in found[-2:]] == [0, present]
    assert titles(found)[-2:] == ["old", "new"]


async def test_readers_that_follow_writers_across_new_epochs_miss_nothing_and_see_nothing_twice(log: Database) -> None:
    campaign, writing = await make_campaign(log), True

    async def writer() -> None:
        while writing:
            await write(log, campaign, "x")

    async def reader() -> list[int]:
        seen: list[Event] = []
        while True:
            last_round = not writing
            seen += await all_events(log, campaign, seen[-1].cursor if seen else None)
            if last_round:
                return [event.id for event in seen]

    tasks = [asyncio.create_task(writer()) for _ in range(4)]
    reading = asyncio.create_task(reader())
    for _ in range(4):
        await asyncio.sleep(0.2)
        await log_epochs.begin(log.url, "a test")
    writing = False
    await asyncio.gather(*tasks)
    seen = await asyncio.wait_for(reading, 30)
    async with admin(log.url) as connection:
        rows = await connection.fetch(
            "SELECT id, xid::text::bigint >> 48 AS epoch FROM service_event WHERE campaign_id = $1 ORDER BY xid, id",
            campaign,
        )
    assert len({row["epoch"] for row in rows}) > 2, "the writers wrote in several epochs"
    assert seen == [row["id"] for row in rows]


async def test_a_watch_goes_on_across_a_new_epoch(log: Database) -> None:
    campaign = await make_campaign(log)
    async with subscriptions(log) as hub:
        watching = watch(hub, campaign, after="now")
        await begun(watching)
        await write(log, campaign, "a")
        assert titles(await events(watching, 1)) == ["a"]
        await log_epochs.begin(log.url, "a test")
        await write(log, campaign, "b")
        (event,) = await events(watching, 1)
        assert (event.payload["title"], epoch_of(position_of(event)) > 0) == ("b", True)
        await watching.aclose()


@pytest.mark.parametrize("ahead", [True, False], ids=["from the future", "of an unknown epoch"])
async def test_a_cursor_that_is_not_of_this_log_is_refused_by_every_reader(log: Database, ahead: bool) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    transaction, id = await end_of_log(log)
    cursor = cursor_of((transaction + 3, id) if ahead else (packed(9, 1), id))
    told = "3 transactions ahead of its end" if ahead else "the log was never in the epoch 9"
    with within(campaign):
        page = await caught(read_events(log, after=cursor))
    async with subscriptions(log) as hub:
        neighbour = watch(hub, campaign, after="now")
        await begun(neighbour)
        watching = await caught(anext(watch(hub, campaign, after=cursor, heartbeat_seconds=0.1)))
        await write(log, campaign, "b")
        assert titles(await events(neighbour, 1)) == ["b"], "another watch is not affected"
        await neighbour.aclose()
    for refusal in (page, watching):
        assert isinstance(refusal, CursorUnknown), refusal
        assert (refusal.code, refusal.field) == ("cursor_unknown", "after")
        assert told in str(refusal)


async def test_cursors_at_the_end_of_the_log_are_of_it(log: Database) -> None:
    campaign = await make_campaign(log)
    for _ in range(3):
        cursor = cursor_of(await end_of_log(log))
        with within(campaign):
            assert [event async for page in follow(log, after=cursor) for event in page] == []
        async with subscriptions(log) as hub:
            watching = watch(hub, campaign, after=cursor, heartbeat_seconds=0.1)
            async with asyncio.timeout(10):
                item = await anext(watching)
            assert parse_cursor(item.cursor) >= parse_cursor(cursor)
            await watching.aclose()
        await log_epochs.begin(log.url, "a test")


async def test_a_search_notices_changes_in_each_epoch(log: Database) -> None:
    campaign = await make_campaign(log)
    generations = Generations(log)
    number = await generations.generation(campaign)
    for _ in range(2):
        await log_epochs.begin(log.url, "a test")
        after_move = await generations.generation(campaign)
        assert after_move > number
        assert await generations.generation(campaign) == after_move
        await write(log, campaign, "a")
        number = await generations.generation(campaign)
        assert number > after_move


async def test_the_application_may_arrive_but_not_begin_an_epoch_at_will(log: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await log.write("SELECT new_log_epoch('at will')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await log.write("INSERT INTO log_epoch SELECT 9, server, database, timeline, now(), '' FROM log_epoch")


@pytest.mark.parametrize(("epoch", "transaction"), [(0, 0), (0, 4711), (1, 0), (32767, (1 << 48) - 1)])
async def test_positions_are_the_same_in_sql_and_python(database_url: str, epoch: int, transaction: int) -> None:
    async with admin(database_url) as connection:
        position = "SELECT log_position($1, $2::text::xid8)::text"
        assert int(await connection.fetchval(position, epoch, str(transaction))) == packed(epoch, transaction)
        assert await connection.fetchval(position, epoch, str(1 << 48)) is None


async def test_a_new_epoch_gives_no_id_that_was_given_while_the_clock_was_set_back(migrated_url: str) -> None:
    await log_epochs.arrive(migrated_url)
    async with admin(migrated_url) as connection:
        ahead = await connection.fetchval(
            "SELECT setval('id_clock', time_id(clock_timestamp() + interval '2 hours') | (next_id() & 31))"
        )
        given = [await connection.fetchval("SELECT next_id()") for _ in range(1_000)]
        await connection.execute("SELECT setval('id_clock', $1)", ahead)  # as a restore of an earlier backup does
        await connection.execute("SELECT new_log_epoch('restored')")
        later = await connection.fetchval("SELECT next_id()")
        assert later > max(given)
        assert later & 31 == ahead & 31, "the server's number stays"


async def test_a_new_epoch_leaves_ids_alone_that_are_not_ahead(migrated_url: str) -> None:
    await log_epochs.arrive(migrated_url)
    async with admin(migrated_url) as connection:
        await connection.execute("SELECT next_id(), pg_sleep(0.01), new_log_epoch('copied')")
        ahead = "SELECT next_id() > time_id(clock_timestamp() + interval '1 minute')"
        assert await connection.fetchval(ahead) is False
