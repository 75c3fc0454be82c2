"""The generated client on a running server: what the platform's own services answer, synchronously and with asyncio."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
import pytest_asyncio

import ovasabi_client
from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import create_key
from ovasabi_client import (
    AsyncClient,
    CampaignState,
    Client,
    ContentState,
    ImportResult,
    OperationState,
    ProductState,
    QuoteState,
    UserState,
)
from tests.integration.gateway.touring_fixtures import FIRST, Tour


@pytest_asyncio.fixture(params=["sync", "async"])
async def tour(request: pytest.FixtureRequest, address: str, database: Database) -> AsyncIterator[Tour]:
    """A client of each kind, with an admin key of the platform."""
    key = await create_key(database.url, "test", Role.ADMIN)
    if request.param == "sync":
        with Client(address, key) as client:
            yield Tour(client, set())
    else:
        async with AsyncClient(address, key) as client:
            yield Tour(client, set())


def new_name() -> str:
    """A name that nobody has."""
    return f"n{uuid.uuid4().hex[:12]}"


async def test_the_methods_of_the_services_answer_what_they_do(tour: Tour) -> None:
    slug = new_name()
    made = await tour.campaigns.create(slug=slug, title="Shop", kind="flash")
    user = await visit_users(tour)
    shop = tour.campaign(slug)
    await visit_contents(shop, user.id)
    await visit_products(shop)
    await visit_quotes(shop)
    await visit_feeds(shop, tour)
    await visit_operations(shop, tour)
    await visit_campaigns(tour, slug)
    assert (await tour.campaigns.get(slug)).id == made.id


async def visit_users(tour: Tour) -> ovasabi_client.User:
    """Users, who are of the platform."""
    name, first, second = new_name(), "Correct-horse-7", "Battery-staple-8"
    user = await tour.users.create(username=name, email=f"{name}@example.org", password=first)
    assert await tour.users.get(user.uuid) == user
    assert user in await tour.users.list(filter='state = "active"')
    assert (await tour.users.page(page_size=1, include_total=True)).total_size >= 1
    assert (await tour.users.search(name)).hits[0].entity == user
    assert (await tour.users.update(user.id, first_name="Ada")).first_name == "Ada"
    assert [move.to for move in (await tour.users.allowed_moves(user.id)).moves] == ["suspended", "inactive"]
    assert (await tour.users.verify_password(user.id, password=first)).valid
    await tour.users.change_password(user.id, current_password=first, new_password=second)
    assert not (await tour.users.verify_password(user.id, password=first)).valid
    assert (await tour.users.suspend(user.id, reason="spam")).state is UserState.SUSPENDED
    assert (await tour.users.reactivate(user.id)).state is UserState.ACTIVE
    assert (await tour.users.deactivate(user.id)).state is UserState.INACTIVE
    await tour.users.delete(user.id)
    return await tour.users.restore(user.id)


async def visit_contents(shop: Tour, user_id: int) -> None:
    """Contents, comments and reactions."""
    content = await shop.contents.create(title="First light", tags=["a", "b"], metadata={"service_specific": {}})
    assert (content.title, content.tags, content.state) == ("First light", ["a", "b"], ContentState.DRAFT)
    changed = await shop.contents.update(content.id, title="Dawn", expected_version=content.version)
    assert await shop.contents.get(content.id, as_of=content.updated_at) == content
    assert [found.entity for found in (await shop.contents.search("dawn")).hits] == [changed]
    allowed = await shop.contents.allowed_moves(content.id)
    assert (allowed.state, [move.verb for move in allowed.moves]) == ("draft", ["publish", "archive"])
    assert {move.role for move in allowed.moves} == {ovasabi_client.Role.WRITER}
    assert (await shop.contents.publish(content.id)).published_at is not None
    assert (await shop.contents.unpublish(content.id)).state is ContentState.DRAFT
    comment = await shop.contents.comment(content.id, body="Nice")
    reaction = await shop.contents.react(content.id, user_id=user_id, kind="love")
    assert (await shop.contents.unreact(content.id, user_id=user_id, kind="love")).reaction_count == 0
    assert (await shop.comments.get(comment.id)).body == "Nice"
    other = await shop.comments.create(content_id=content.id, body="Very", reply_to_id=comment.id)
    assert [each.id for each in await shop.comments.list()] == [other.id, comment.id]
    assert (await shop.comments.page(order_by="created_at asc")).items[0].id == comment.id
    assert (await shop.comments.search("nice")).total == 1
    assert (await shop.comments.update(other.id, body="Very!")).body == "Very!"
    await shop.comments.delete(other.id)
    await shop.comments.restore(other.id)
    assert (await shop.reactions.restore(reaction.id)).kind is ovasabi_client.ReactionKind.LOVE
    await visit_reactions(shop, reaction.id)
    assert (await shop.contents.archive(content.id)).state is ContentState.ARCHIVED
    assert (await shop.contents.unarchive(content.id)).state is ContentState.DRAFT
    await shop.contents.delete(content.id)
    restored = await shop.contents.restore(content.id)
    assert await shop.contents.list(filter='tags:a AND kind = "article"', page_size=1) == [restored]
    assert (await shop.contents.page()).items == [restored]


async def visit_reactions(shop: Tour, id: int) -> None:
    """Reactions, one of which is there."""
    there = await shop.reactions.get(id)
    assert (await shop.reactions.page()).items == await shop.reactions.list() == [there]
    changed = await shop.reactions.update(id, metadata={"service_specific": {"content": {"seen": True}}})
    assert changed.version == there.version + 1
    await shop.reactions.delete(id)
    made = await shop.reactions.create(content_id=there.content_id, user_id=there.user_id, kind="sad")
    assert made.id != id


async def visit_products(shop: Tour) -> None:
    """Products and their variants."""
    product = await shop.products.create(name="Lamp", tags=["light"])
    variant = await shop.variants.create(
        product_id=product.id, sku="L-1", name="Red lamp", price=Decimal("12.50"), currency="EUR", attributes={"a": "b"}
    )
    assert (variant.price, variant.attributes) == (Decimal("12.50"), {"a": "b"})
    assert (await shop.variants.make_default(variant.id)).default_variant_id == variant.id
    await shop.variants.restock(variant.id, quantity=5)
    assert (await shop.variants.reserve(variant.id, quantity=2)).reserved == 2
    await shop.variants.release(variant.id, quantity=1)
    assert (await shop.variants.take(variant.id, quantity=1)).stock == 4
    assert (await shop.variants.update(variant.id, price=Decimal("9.9"))).price == Decimal("9.9")
    assert len(await shop.variants.list(filter="price < 10")) == len((await shop.variants.page()).items) == 1
    assert (await shop.variants.search("lamp")).hits[0].entity == await shop.variants.get(variant.uuid)
    await shop.variants.delete(variant.id)
    await shop.variants.restore(variant.id)
    assert (await shop.products.get(product.id)).variant_count == 1
    assert (await shop.products.update(product.id, description="Bright")).description == "Bright"
    assert len(await shop.products.list()) == len((await shop.products.page()).items) == 1
    assert (await shop.products.search("lamp")).total == 1
    assert (await shop.products.allowed_moves(product.id)).state == "active"
    assert (await shop.products.deactivate(product.id)).state is ProductState.INACTIVE
    assert (await shop.products.activate(product.id)).state is ProductState.ACTIVE
    assert (await shop.products.archive(product.id)).state is ProductState.ARCHIVED
    other = await shop.products.create(name="Chair")
    await shop.products.delete(other.id)
    await shop.products.restore(other.id)


async def visit_quotes(shop: Tour) -> None:
    """Quotes: one is accepted, one rejected, one overdue."""
    soon, later = (datetime.now(UTC) + timedelta(seconds=seconds) for seconds in (1, 3600))
    quotes = [
        await shop.quotes.create(description="Paint", amount=Decimal("100.5"), currency="EUR", valid_until=until)
        for until in (later, later, soon)
    ]
    assert quotes[0].valid_until == later.replace(microsecond=quotes[0].valid_until.microsecond)
    assert (await shop.quotes.accept(quotes[0].id)).state is QuoteState.ACCEPTED
    assert (await shop.quotes.allowed_moves(quotes[0].id)).moves == []
    assert (await shop.quotes.reject(quotes[1].id, reason="dear")).reason == "dear"
    assert (await shop.quotes.update(quotes[2].id, amount=Decimal("99"))).amount == 99
    assert (await shop.quotes.get(quotes[2].id)).version == 2
    assert len(await shop.quotes.list(page_size=2)) == len((await shop.quotes.page()).items) == 3
    assert (await shop.quotes.search("paint")).total == 3
    await shop.quotes.delete(quotes[1].id)
    await shop.quotes.restore(quotes[1].id)
    await asyncio.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds() + 0.05))
    assert (await shop.quotes.expire(quotes[2].id)).state is QuoteState.EXPIRED


async def visit_feeds(shop: Tour, tour: Tour) -> None:
    """The registry, the events and the search, of the campaign and of the platform."""
    assert (await shop.search("lamp")).facets["product"] == 1
    records = await shop.master.list(page_size=2)
    assert {"content", "product", "quote"} <= {record.type for record in records}
    assert len((await shop.master.page(page_size=2)).records) == 2
    assert await shop.master.get(records[0].uuid) == records[0]
    assert (await shop.master.search("lmap", mode="fuzzy")).records
    events = await shop.events.list(page_size=5)
    assert len(events) == len({event.id for event in events}) > 20
    assert (await shop.events.page(page_size=5)).events == events[:5]
    assert await shop.events.watch(heartbeat_seconds=1) == events[:FIRST]
    assert await shop.events.watch(after=events[3].cursor) == events[4 : 4 + FIRST]
    assert {record.campaign_id for record in (await tour.master.page(page_size=1000)).records} == {0}
    assert (await tour.events.page(page_size=1)).events[0].campaign_id == 0


async def visit_operations(shop: Tour, tour: Tour) -> None:
    """Export and import of every type, as operations."""
    lines = '{"title": "Imported"}\n{"titel": "Wrong"}\n'
    started = await shop.contents.import_(data=lines, idempotency_key="import-1")
    assert (await shop.contents.import_(data=lines, idempotency_key="import-1")).id == started.id
    ended = await shop.operations.wait(started.id)
    assert ended.state is OperationState.SUCCEEDED
    result = msgspec.convert(ended.result, ImportResult)
    assert (result.created, result.rejected, result.rejects[0].line) == (1, 1, 2)
    exported = await shop.operations.wait((await shop.contents.export(whole=True)).uuid)
    piece = await shop.operations.download(exported.id)
    assert piece.next is None
    assert '"Imported"' in piece.data
    assert (await shop.operations.allowed_moves(exported.id)).state == "succeeded"
    for part in ("comments", "reactions", "products", "variants", "quotes"):
        operation = await getattr(shop, part).export()
        assert (await shop.operations.wait(operation.id)).error is None
        assert (await shop.operations.wait((await getattr(shop, part).import_(data="{}\n")).id)).result["created"] == 0
    for part in ("users", "campaigns"):
        started = await getattr(tour, part).export(filter="state = active")
        assert (await tour.operations.wait(started.id)).state is OperationState.SUCCEEDED
        await tour.operations.wait((await getattr(tour, part).import_(data="{}\n")).id)
    with pytest.raises(ovasabi_client.MoveRefused):
        await shop.operations.cancel(exported.id)
    assert {one.kind for one in await shop.operations.list(page_size=3)} >= {"contents_import", "quotes_export"}
    (newest,) = (await shop.operations.page(page_size=1)).items
    assert await shop.operations.get(newest.id) == newest
    await shop.operations.delete(exported.id)


async def visit_campaigns(tour: Tour, slug: str) -> None:
    """Campaigns, one of which is there."""
    ahead = datetime.now(UTC) + timedelta(days=1)
    allowed = await tour.campaigns.allowed_moves(slug)
    assert [move.verb for move in allowed.moves] == ["schedule", "deactivate", "complete"]
    assert (await tour.campaigns.update(slug, starts_at=ahead, description="Soon")).starts_at is not None
    assert (await tour.campaigns.schedule(slug)).state is CampaignState.SCHEDULED
    for verb, state in (("activate", "active"), ("deactivate", "inactive"), ("complete", "completed")):
        assert (await getattr(tour.campaigns, verb)(slug)).state == state
    assert (await tour.campaigns.archive(slug)).state is CampaignState.ARCHIVED
    assert [one.slug for one in await tour.campaigns.list(filter=f'slug = "{slug}"')] == [slug]
    assert (await tour.campaigns.page(page_size=1)).items
    assert (await tour.campaigns.search("shop")).total >= 1
    await tour.campaigns.delete(slug)
    await tour.campaigns.restore(slug)
