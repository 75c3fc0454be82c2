"""Pages end early, by what they contain, before the database reads or sends what is left out."""

import json
import random
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import acting, system_context
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.declare.ids import EPOCH
from ovasabi.kernel.events import log, log_poll
from ovasabi.kernel.events.cursors import START
from ovasabi.kernel.events.log import follow, read_events
from ovasabi.kernel.events.log_poll import LogPage, poll
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.service.protocol import SearchRequest
from ovasabi.kernel.statements.bounding import PAGE_BYTES
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.kernel.store.rows import NewEntity
from tests.integration.kernel.fixtures import admin, contents, make_campaign, within

LARGE = 500_000
"""Characters of a text of which four have room in a page, and two in one of events."""
COUNT = 7
JSON = {"service_specific": {"content": {"items": ["x" * 50] * 1000}}}
"""Metadata that is compressed to a hundredth in the database."""


@pytest_asyncio.fixture(scope="module")
async def large(database: Database) -> int:
    """A campaign with contents of which four have room in a page."""
    campaign, chance = await make_campaign(database), random.Random(1)
    with within(campaign):
        for n in range(COUNT):
            await contents(database).create({"title": f"large {n}", "body": chance.randbytes(LARGE // 2).hex()})
    return campaign


@pytest.mark.parametrize("size", [6, 100, 1000])
@pytest.mark.parametrize("order", ["", "created_at", "kind desc"])
async def test_a_list_ends_early_with_its_token_and_its_pages_have_every_row_once(
    database: Database, large: int, order: str, size: int
) -> None:
    repository, token, found = contents(database), "", list[str]()
    with within(large):
        while True:
            page = await list_page(repository, ListRequest(page_size=size, page_token=token, order_by=order))
            assert 1 <= len(page.items) <= 4
            assert len(msgspec.json.encode(page)) <= PAGE_BYTES
            found += [item.title for item in page.items]
            token = page.next_page_token
            if not token:
                break
    assert sorted(found) == [f"large {n}" for n in range(COUNT)]


async def test_a_row_that_alone_exceeds_a_page_comes_alone(database: Database, campaign: int) -> None:
    with within(campaign):
        for n in range(2):
            await contents(database).create({"title": f"{n}", "body": "€" * 1_000_000})
        page = await list_page(contents(database), ListRequest())
        assert (len(page.items), bool(page.next_page_token)) == (1, True)
        last = await list_page(contents(database), ListRequest(page_token=page.next_page_token))
        assert (len(last.items), last.next_page_token) == (1, "")


async def test_a_page_of_small_rows_and_a_large_one_has_them_whole(database: Database, campaign: int) -> None:
    with within(campaign):
        made = [await contents(database).create({"title": f"{n}", "tags": ["a"]}) for n in range(3)]
        made.append(await contents(database).create({"title": "large", "body": "x" * LARGE}))
        made += [await contents(database).create({"title": "json", "metadata": JSON}) for _ in range(2)]
        page = await list_page(contents(database), ListRequest(page_size=50, order_by="created_at"))
    assert page.items == made


async def test_json_counts_as_it_is_sent_and_not_as_it_is_stored(database: Database, campaign: int) -> None:
    with within(campaign):
        await contents(database).create_many([NewEntity({"title": f"{n}", "metadata": JSON}) for n in range(60)])
        page = await list_page(contents(database), ListRequest(page_size=1000))
        assert 1 < len(page.items) < 60
        assert len(msgspec.json.encode(page)) <= PAGE_BYTES
        assert page.next_page_token


async def test_a_page_of_small_rows_is_as_large_as_requested(database: Database, campaign: int) -> None:
    with within(campaign):
        await contents(database).create_many([NewEntity({"title": f"{n}"}) for n in range(300)])
        for size, rest in ((50, True), (299, True), (300, False), (1000, False)):
            page = await list_page(contents(database), ListRequest(page_size=size))
            assert (len(page.items), bool(page.next_page_token)) == (min(size, 300), rest)


async def test_a_search_ends_early_and_tells_how_many_there_are(
    database: Database, registry: ServiceRegistry, large: int
) -> None:
    with within(large):
        found = await registry.named("content").search(SearchRequest(q="large", page_size=100))
        assert (1 <= len(found.hits) <= 4, found.total) == (True, COUNT)
        best = await registry.named("content").search(SearchRequest(q="large", page_size=1))
        assert found.hits[0] == best.hits[0]


async def test_a_page_of_events_ends_early_and_the_log_is_read_whole(database: Database, large: int) -> None:
    with within(large):
        page = await read_events(database, limit=1000)
        assert 1 <= len(page) < COUNT
        assert sum(len(msgspec.json.encode(event)) for event in page) <= PAGE_BYTES
        whole = [event.payload["title"] async for batch in follow(database) for event in batch][1:]
    assert whole == [f"large {n}" for n in range(COUNT)]


async def test_a_poll_ends_early_for_each_campaign_and_says_so(database: Database, large: int, campaign: int) -> None:
    with within(campaign):
        await contents(database).create({"title": "small"})
    with acting(system_context("test")):
        begun, other = await poll(database, [(large, START), (campaign, START)], limit=100, max_bytes=1000)
        (first,) = await poll(database, [(large, begun.position)], limit=100, max_bytes=1000)
        assert [event.payload["title"] for event in first.events] == ["large 0"]
        assert [event.payload.get("title") for event in other.events][1:] == ["small"]
        assert (begun.full, first.full, other.full) == (True, True, False)
        seen, page = list[str](), LogPage([], START, True)
        while page.full:
            (page,) = await poll(database, [(large, page.position)], limit=3, max_bytes=1_100_000)
            seen += [event.payload["title"] for event in page.events]
    assert seen[1:] == [f"large {n}" for n in range(COUNT)]


async def test_payloads_beyond_a_page_are_neither_sent_nor_read(
    database: Database, database_url: str, large: int
) -> None:
    page = [scope_of(large), list(STREAMS), large, EPOCH, "0", 0, None, None, 1000]
    polled = [scope_of(large), [large], ["0"], [0], list(STREAMS), EPOCH, None, None, 1000, PAGE_BYTES]
    whole = "SELECT octet_length(payload::text) FROM service_event WHERE campaign_id = $1"
    async with admin(database_url) as connection:
        all_blocks = await blocks_of(connection, whole, [large])
        for module, name, args in ((log, "page", page), (log_poll, "poll", polled)):
            sql = load(module.__file__)[name]
            rows = await connection.fetch(sql, *args)
            assert LARGE <= sum(len(msgspec.json.encode(row["payload"])) for row in rows) <= PAGE_BYTES
            # Of those that are stored within the bound, and the one that exceeds it.
            assert await blocks_of(connection, sql, args) < all_blocks * 5 / COUNT


async def blocks_of(connection: asyncpg.Connection, sql: str, args: list[Any]) -> int:
    """How many blocks the execution of a statement reads, including those of values stored apart."""
    (plan,) = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *args))
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
