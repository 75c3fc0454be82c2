"""A server whose clock is set back goes on: what is created is ahead of the clock, and found on every road."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import acting, system_context
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.declare.ids import id_time, time_id
from ovasabi.kernel.events.log import follow, read_events
from ovasabi.kernel.events.log_poll import end_of_log
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.kernel.events.watch import Heartbeat
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.search.generations import Generations
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.history import state_at
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.kernel.store.partitions import months_from
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import partitions
from ovasabi.servers import _maintain
from ovasabi.services.content.entity import Content
from ovasabi.settings import Settings
from tests.conftest import new_campaign
from tests.integration.kernel.fixtures import admin, contents, pools, within

BACK = [timedelta(hours=1), timedelta(days=3), timedelta(days=40)]
"""From a wrong summer time to a wrong month: the last is beyond the months ahead that an hour ago had partitions."""


@pytest_asyncio.fixture
async def own(migrated_url: str) -> AsyncIterator[Database]:
    """Pools on a database whose clock a test may shift."""
    async with pools(migrated_url) as database:
        yield database


async def set_back(url: str, by: timedelta) -> datetime:
    """Sets the clock back, as far as ids can tell; returns the time of the last id, ahead of the clock by as much."""
    ahead = datetime.now(UTC) + by
    async with admin(url) as connection:
        await connection.fetchval("SELECT setval('id_clock', $1)", time_id(ahead))
    return id_time(time_id(ahead))


@pytest.mark.parametrize("by", BACK, ids=str)
async def test_what_is_written_behind_the_clock_is_found_on_every_road(
    own: Database, migrated_url: str, by: timedelta
) -> None:
    registry = ServiceRegistry(own)
    campaign = await new_campaign(registry)
    repository = contents(own)
    with within(campaign):
        old = await repository.create({"title": "before it", "tags": ["old"]})
        cursor = (await read_events(own))[-1].cursor
        ahead = await set_back(migrated_url, by)
        await partitions.note_present(own)
        await partitions.ensure(own, 1)
        made = await repository.create_many([NewEntity({"title": f"ahead {n}", "slug": f"a{n}"}) for n in range(5)])
        ids = [each.id for each in made]  # type: ignore[union-attr]
        assert ids == sorted(ids)
        assert all(each.created_at == each.updated_at == id_time(each.id) >= ahead for each in made)  # type: ignore[union-attr]
        old = await repository.update(old.id, {"title": "before and after it"})
        assert old.updated_at >= ahead

        assert (await repository.get(ids[0])).title == "ahead 0"
        newest = (await list_page(repository, ListRequest(page_size=3))).items
        assert [each.id for each in newest] == ids[:1:-1]
        assert {each.id for each in (await list_page(repository, ListRequest())).items} == {old.id, *ids}
        assert (await list_page(repository, ListRequest(include_total=True, page_size=1))).total_size == 6
        assert {hit.id for hit in (await search(own, "ahead")).hits} == set(ids)
        assert {each.id for each in (await EntityRegistry(own).list(type="content")).records} == {old.id, *ids}

        followed = [event async for batch in follow(own, after=cursor, batch=2) for event in batch]
        assert [event.master_id for event in followed] == [*ids, old.id]
        assert await read_events(own, after=followed[-1].cursor) == []
        assert await state_at(own, Content, ids[0], ahead + timedelta(seconds=5)) == made[0]
        with pytest.raises(EntityNotFound):
            await state_at(own, Content, ids[0], ahead - timedelta(seconds=1))


async def test_a_watch_goes_on_without_gap_or_repetition_while_the_clock_is_set_back(
    own: Database, migrated_url: str
) -> None:
    campaign = await new_campaign(ServiceRegistry(own))
    subscriptions, seen = Subscriptions(own), []
    with within(campaign):
        async with aclosing(subscriptions.watch(after="now", heartbeat_seconds=0.2)) as watch:
            assert isinstance(await anext(watch), Heartbeat)
            written = []
            for by in (timedelta(0), timedelta(hours=5), timedelta(0), timedelta(hours=26)):
                if by:
                    await set_back(migrated_url, by)
                    await asyncio.sleep(0.6)  # the tail polls in between, and takes its position from the present
                written.append((await contents(own).create({"title": str(by)})).id)
                while len(seen) < len(written):
                    if not isinstance(item := await asyncio.wait_for(anext(watch), 10), Heartbeat):
                        seen.append(item.master_id)
            assert seen == written
            position = await end_of_log(own)
            assert id_time(position[1]) > id_time(written[-1])
    await subscriptions.close()


async def test_kept_search_results_notice_what_is_written_behind_the_clock(own: Database, migrated_url: str) -> None:
    campaign, generations = await new_campaign(ServiceRegistry(own)), Generations(own)
    await partitions.apply(own, await partitions.plan(own, 1, (datetime.now(UTC) + BACK[1]).date()))
    for _ in range(2):
        with within(campaign):
            await set_back(migrated_url, BACK[1])
            await contents(own).create({"title": "first"})
            number = await generations.generation(campaign)
            assert await generations.generation(campaign) == number
            await contents(own).create({"title": "second"})
            assert await generations.generation(campaign) > number


async def test_the_months_of_ids_ahead_are_created_by_the_next_look(own: Database, migrated_url: str) -> None:
    ahead = await set_back(migrated_url, timedelta(days=200))
    with acting(system_context("test", 1)), pytest.raises(Exception, match="partition"):
        await contents(own).create({"title": "too far"})
    keeping = asyncio.create_task(_maintain({0: own}, 0, Settings(months_ahead=1), look_seconds=0.2))
    try:
        months = months_from(ahead.date(), 1)
        for _ in range(100):
            if await partitions.plan(own, 1, ahead.date()) == []:
                break
            await asyncio.sleep(0.1)
        assert await partitions.plan(own, 1) == []
        assert months[0] == date(ahead.year, ahead.month, 1)
    finally:
        keeping.cancel()
    campaign = await new_campaign(ServiceRegistry(own))
    with within(campaign):
        made = await contents(own).create({"title": "now it works"})
        assert made.created_at >= ahead
        assert (await list_page(contents(own), ListRequest())).items == [made]
