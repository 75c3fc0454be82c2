"""Ids ascend on a server and never repeat, whatever its clock does, and two servers never make the same."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.ids import MAX_ID, id_time, time_id
from ovasabi.kernel.store.rows import Change, NewEntity
from tests.integration.kernel.fixtures import admin, contents, make_campaign, pools, within

HOUR = timedelta(hours=1)
TAKEN = "SELECT id FROM (SELECT next_id() AS id FROM generate_series(1, $1)) AS i"
DRAWN = """SELECT first FROM (SELECT next_id() AS first OFFSET 0) AS clock
           UNION ALL SELECT nextval('id_clock') FROM generate_series(2, $1)"""


@pytest_asyncio.fixture
async def own(migrated_url: str) -> AsyncIterator[Database]:
    """Pools on a database whose clock a test may shift."""
    async with pools(migrated_url) as database:
        yield database


async def move(url: str, at: datetime, number: int = 0) -> int:
    """Sets the last id to one of that time. To ids, a time ahead is the same as a clock that was set back."""
    async with admin(url) as connection:
        return int(await connection.fetchval("SELECT setval('id_clock', $1)", time_id(at) | number))


async def taken(url: str, count: int, query: str = TAKEN) -> list[int]:
    """Ids that one session takes."""
    async with admin(url) as connection:
        return [row[0] for row in await connection.fetch(query, count)]


@pytest.mark.parametrize("query", [TAKEN, DRAWN], ids=["next_id", "nextval"])
async def test_ids_of_many_sessions_never_repeat_and_ascend_in_each(migrated_url: str, query: str) -> None:
    before = datetime.now(UTC)
    connections = [await asyncpg.connect(migrated_url) for _ in range(16)]

    async def rounds(connection: asyncpg.Connection) -> list[int]:
        return [row[0] for count in [1, 1, 7, 200] * 5 for row in await connection.fetch(query, count)]

    try:
        found = await asyncio.gather(*map(rounds, connections))
    finally:
        for connection in connections:
            await connection.close()
    assert all(ids == sorted(ids) for ids in found)
    everything = [id for ids in found for id in ids]
    assert len(set(everything)) == len(everything) == 16 * 1045
    assert all(time_id(before) <= id <= MAX_ID and id % 32 == 0 for id in everything)


async def test_an_id_is_of_the_millisecond_in_which_it_is_taken(own: Database) -> None:
    for _ in range(50):
        before = datetime.now(UTC)
        id = (await own.write("SELECT next_id()"))[0][0]
        assert time_id(before) <= id < time_id(datetime.now(UTC) + timedelta(milliseconds=1))


async def test_neither_a_failed_statement_nor_an_open_transaction_holds_the_clock(migrated_url: str) -> None:
    async with admin(migrated_url) as connection, admin(migrated_url) as other:
        for _ in range(20):
            transaction = connection.transaction()
            await transaction.start()
            first = await connection.fetchval("SELECT next_id()")
            assert await other.fetchval("SELECT next_id()") > first  # nobody waits for the transaction to end
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetchval("SELECT next_id() / 0")
            await transaction.rollback()
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = ANY ($1::int[])"
        pids = [each.get_server_pid() for each in (connection, other)]
        assert await other.fetchval(locks, pids) == 0


@pytest.mark.parametrize("back", [timedelta(milliseconds=1), timedelta(seconds=1), HOUR, timedelta(days=40)], ids=str)
async def test_ids_go_on_ascending_while_the_clock_is_set_back(migrated_url: str, back: timedelta) -> None:
    last = await move(migrated_url, datetime.now(UTC) + back)
    ids = await taken(migrated_url, 10_000) + await taken(migrated_url, 10_000, DRAWN)
    assert ids == sorted(set(ids))
    assert ids[0] > last
    if back >= HOUR:
        # 20,000 ids take 157 milliseconds: at 128 in each, no time is lost.
        assert id_time(ids[-1]) - id_time(last) < timedelta(milliseconds=160)


async def test_two_servers_with_different_numbers_never_make_the_same_id(migrated_url: str) -> None:
    at = datetime.now(UTC) + timedelta(days=1)  # at one faked time, which stands still
    made: list[list[int]] = []
    for number in (0, 31, 7):
        await move(migrated_url, at, number)
        made.append(await taken(migrated_url, 100_000) + await taken(migrated_url, 100_000, DRAWN))
    for number, ids in zip((0, 31, 7), made, strict=True):
        assert ids == sorted(set(ids))
        assert {id % 32 for id in ids} == {number}
    assert len(set().union(*made)) == 600_000
    assert len({id_time(ids[-1]) for ids in made}) == 1


async def test_the_number_stays_when_the_clock_overtakes_the_last_id(migrated_url: str) -> None:
    await move(migrated_url, datetime.now(UTC) - HOUR, 19)
    assert {id % 32 for id in await taken(migrated_url, 100)} == {19}


async def test_an_updated_at_never_decreases_and_is_the_time_of_its_event(own: Database, migrated_url: str) -> None:
    repository = contents(own)
    with within(await make_campaign(own)):
        made = await repository.create({"title": "a"})
        await move(migrated_url, datetime.now(UTC) + HOUR)
        ahead = await repository.update(made.id, {"title": "b"})
        # A row that came from a server whose clock was ahead of this one's.
        await move(migrated_url, datetime.now(UTC))
        back = await repository.update(made.id, {"title": "c"})
        assert made.updated_at < ahead.updated_at == back.updated_at
        read = await repository.get(made.id)
        assert (read.updated_at, read.version, read.title) == (ahead.updated_at, 3, "c")
    async with admin(migrated_url) as connection:
        query = "SELECT occurred_at, id FROM service_event WHERE master_id = $1 ORDER BY version"
        events = await connection.fetch(query, made.id)
    assert [event["occurred_at"] for event in events] == [made.updated_at, ahead.updated_at, back.updated_at]
    assert id_time(events[1]["id"]) == ahead.updated_at


async def test_the_events_of_a_contended_row_are_in_the_order_of_its_versions(own: Database, migrated_url: str) -> None:
    repository = contents(own)
    campaign = await make_campaign(own)
    with within(campaign):
        made = await repository.create_many([NewEntity({"title": str(number)}) for number in range(3)])
        ids = [each.id for each in made]  # type: ignore[union-attr]
        for _ in range(5):
            changes = [Change(id, {"title": "x"}) for id in ids]
            await asyncio.gather(*(repository.update_many(changes) for _ in range(8)))
    async with admin(migrated_url) as connection:
        query = """SELECT array_agg(id ORDER BY version) AS ids, array_agg(occurred_at ORDER BY version) AS times
                   FROM service_event WHERE campaign_id = $1 AND version IS NOT NULL GROUP BY master_id"""
        found = await connection.fetch(query, campaign)
    assert [len(row["ids"]) for row in found if len(row["ids"]) > 1] == [41] * 3
    for row in found:
        assert row["ids"] == sorted(set(row["ids"]))
        assert row["times"] == [id_time(id) for id in row["ids"]]
