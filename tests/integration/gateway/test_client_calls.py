"""The client on a running server: pages, errors, what was not given, lost answers, and many calls at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import ovasabi_client
from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import create_key
from ovasabi_client import UNSET, AsyncCampaignScope, AsyncClient, Client
from tests.integration.gateway.losing_fixtures import losing


@pytest_asyncio.fixture
async def key(database: Database) -> str:
    """An admin key of the platform."""
    return await create_key(database.url, "test", Role.ADMIN)


@pytest_asyncio.fixture
async def client(address: str, key: str) -> AsyncIterator[AsyncClient]:
    """A client with that key."""
    async with AsyncClient(address, key) as made:
        yield made


@pytest_asyncio.fixture
async def slug(client: AsyncClient) -> str:
    """A campaign of the test's own."""
    name = f"c{uuid.uuid4().hex[:12]}"
    return (await client.campaigns.create(slug=name, title=name)).slug


@pytest.fixture
def shop(client: AsyncClient, slug: str) -> AsyncCampaignScope:
    """That campaign, as the client has it."""
    return client.campaign(slug)


async def test_a_list_goes_over_all_pages_and_repeats_and_misses_nothing(shop: AsyncCampaignScope) -> None:
    made = await asyncio.gather(*(shop.contents.create(title=f"{number}") for number in range(23)))
    seen = [content.id async for content in shop.contents.list(page_size=5, order_by="created_at asc")]
    assert seen == sorted(content.id for content in made)
    page = await shop.contents.page(page_size=5, include_total=True)
    assert (len(page.items), page.total_size) == (5, 23)
    next_page = await shop.contents.page(page_size=5, page_token=page.next_page_token)
    assert next_page.total_size is None
    assert {one.id for one in page.items} & {one.id for one in next_page.items} == set()
    assert (await shop.contents.page(page_size=23)).next_page_token == ""
    assert [record.id async for record in shop.master.list(type="content", page_size=4)] == seen


async def test_what_is_not_given_stays_and_none_empties(shop: AsyncCampaignScope) -> None:
    parent = await shop.contents.create(title="parent")
    made = await shop.contents.create(
        title="x", slug="x", parent_id=parent.id, metadata={"service_specific": {"shop": {"a": 1}}}
    )
    changed = await shop.contents.update(made.id, title="y", slug=UNSET)
    assert (changed.title, changed.slug, changed.parent_id) == ("y", "x", parent.id)
    emptied = await shop.contents.update(made.id, slug=None, parent_id=None)
    assert (emptied.title, emptied.slug, emptied.parent_id) == ("y", None, None)
    assert (await shop.contents.update(made.id)).version == emptied.version
    mergeable = await shop.contents.update(made.id, metadata={"service_specific": {"shop": {"b": 2}}})
    assert mergeable.metadata["service_specific"] == {"shop": {"a": 1, "b": 2}}


async def test_an_error_tells_what_was_wrong_and_what_to_do(client: AsyncClient, shop: AsyncCampaignScope) -> None:
    content = await shop.contents.create(title="x", slug="x")
    with pytest.raises(ovasabi_client.NotFound, match="The content 17 was not found"):
        await shop.contents.get(17)
    with pytest.raises(ovasabi_client.AlreadyExists) as taken:
        await shop.contents.create(title="y", slug="x")
    assert (taken.value.field, taken.value.kind) == ("slug", "exists")
    with pytest.raises(ovasabi_client.InvalidRequest) as invalid:
        await shop.contents.create(title="")
    assert invalid.value.field == "title"
    with pytest.raises(ovasabi_client.VersionConflict) as conflict:
        await shop.contents.update(content.id, title="z", expected_version=7)
    assert (conflict.value.status, conflict.value.code) == (412, "version_conflict")
    with pytest.raises(ovasabi_client.MoveRefused):
        await shop.contents.unarchive(content.id)
    await shop.contents.create(title="a", idempotency_key="once")
    with pytest.raises(ovasabi_client.IdempotencyKeyReused):
        await shop.contents.create(title="b", idempotency_key="once")
    with pytest.raises(ovasabi_client.NotFound):
        await client.campaign("no-such").search("x")


async def test_a_key_may_do_what_its_role_and_campaign_say(
    client: AsyncClient, address: str, database: Database, slug: str, shop: AsyncCampaignScope
) -> None:
    number = (await client.campaigns.get(slug)).campaign_id
    reader = await create_key(database.url, "test", Role.READER, campaign_id=number)
    async with AsyncClient(address, reader, headers={"X-Correlation-Id": "order-4711"}) as confined:
        assert [content async for content in confined.campaign(number).contents.list()] == []
        with pytest.raises(ovasabi_client.Forbidden) as refused:
            await confined.campaign(slug).contents.create(title="x")
        assert isinstance(refused.value, ovasabi_client.Denied)
        assert refused.value.correlation_id == "order-4711"
        with pytest.raises(ovasabi_client.Denied):
            await confined.users.page()
    async with AsyncClient(address, "ovk_nobody_0000") as stranger:
        with pytest.raises(ovasabi_client.Unauthenticated):
            await stranger.campaigns.page()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_create_whose_answer_was_lost_is_done_once(
    kind: str, address: str, key: str, slug: str, shop: AsyncCampaignScope
) -> None:
    async with losing(address, 2) as way:
        if kind == "async":
            async with AsyncClient(way.address, key) as client:
                made = await client.campaign(slug).contents.create(title="Once")
        else:

            def create() -> ovasabi_client.Content:
                with Client(way.address, key) as client:
                    return client.campaign(slug).contents.create(title="Once")

            made = await asyncio.to_thread(create)
        assert way.lost == 2
    assert [content.id async for content in shop.contents.list()] == [made.id]
    assert [event.version async for event in shop.events.list(entity_id=made.id)] == [1]


async def test_a_verb_whose_answer_was_lost_was_done_and_is_not_repeated(
    address: str, key: str, slug: str, shop: AsyncCampaignScope
) -> None:
    content = await shop.contents.create(title="x")
    async with losing(address, 1) as way, AsyncClient(way.address, key) as client:
        with pytest.raises(ovasabi_client.ConnectionFailed):
            await client.campaign(slug).contents.publish(content.id)
    assert (await shop.contents.get(content.id)).version == 2


async def test_a_watch_sees_each_event_once_also_over_a_lost_connection(
    address: str, key: str, slug: str, shop: AsyncCampaignScope
) -> None:
    made = [await shop.contents.create(title="first")]
    async with losing(address, 1) as way, AsyncClient(way.address, key) as client:
        seen: list[int] = []
        async for event in client.campaign(slug).events.watch(types="content:create:v1:success"):
            seen.append(event.master_id)
            if len(seen) == 4:
                break
            made.append(await shop.contents.create(title="another"))
        assert way.lost == 1
    assert seen == [content.id for content in made]


async def test_one_client_serves_many_callers_at_once(
    shop: AsyncCampaignScope, address: str, key: str, slug: str
) -> None:
    with Client(address, key) as client:
        contents = client.campaign(slug).contents
        calls = [asyncio.to_thread(contents.create, title=f"t{number}") for number in range(20)]
        calls += [shop.contents.create(title=f"a{number}") for number in range(20)]
        made = await asyncio.gather(*calls)
    assert len({content.id for content in made}) == 40
