"""The event log is never changed, its reader never misses an event, and the past can be rebuilt from it."""

import asyncio
import random
from decimal import Decimal

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE, OWNER_ROLE
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.events.log import Event, follow, read_events
from ovasabi.kernel.store.history import created_state, state_at
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.content.entity import Content
from ovasabi.services.product.entity import Product, Variant
from tests.integration.kernel.fixtures import admin, caught, contents, make_campaign, within

CHANGES = [
    "UPDATE {table} SET actor = 'x' WHERE master_id = {id}",
    "DELETE FROM {table} WHERE master_id = {id}",
    "TRUNCATE {table}",
]


async def levels(connection: asyncpg.Connection, id: int) -> list[str]:
    """The event table, its stream and its leaf that hold an entity's events."""
    leaf = await connection.fetchval(
        "SELECT tableoid::regclass::text FROM service_event WHERE master_id = $1 LIMIT 1", id
    )
    return ["service_event", "service_event_operational", leaf]


@pytest.mark.parametrize("change", CHANGES, ids=["update", "delete", "truncate"])
async def test_the_application_may_not_change_an_event_by_grant(
    database: Database, database_url: str, campaign: int, change: str
) -> None:
    with within(campaign):
        made = await contents(database).create({"title": "t"})
    async with admin(database_url) as connection:
        tables = await levels(connection, made.id)
        assert tables[-1].startswith("service_event_operational_")
        await connection.execute(f"SET ROLE {APP_ROLE}")
        await connection.execute("SELECT set_config('ovasabi.campaigns', $1, false)", f"{{{campaign}}}")
        for table in tables:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(change.format(table=table, id=made.id))


@pytest.mark.parametrize("role", [OWNER_ROLE, "none"], ids=["owner", "superuser"])
@pytest.mark.parametrize("change", CHANGES, ids=["update", "delete", "truncate"])
async def test_nobody_may_change_an_event_by_trigger(
    database: Database, database_url: str, campaign: int, change: str, role: str
) -> None:
    with within(campaign):
        made = await contents(database).create({"title": "t"})
    async with admin(database_url) as connection:
        tables = await levels(connection, made.id)
        await connection.execute(f"SET ROLE {role}")
        for table in tables:
            answer = await caught(connection.execute(change.format(table=table, id=made.id)))
            # On a leaf itself no policy lets the owner see a row: there is nothing that it could change.
            unseen = role == OWNER_ROLE and table == tables[-1] and answer in ("UPDATE 0", "DELETE 0")
            assert unseen or getattr(answer, "sqlstate", answer) == "OV001", table
        await connection.execute("RESET ROLE")
        assert await connection.fetchval("SELECT count(*) FROM service_event WHERE master_id = $1", made.id) == 1


async def test_every_write_is_one_event_that_says_what_was_set(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign) as context:
        made = await repository.create({"title": "a", "tags": ["x"]})
        await repository.update(made.id, {"title": "b", "metadata": {"tags": [1]}}, verb="rename")
        await repository.adjust(made.id, {"comment_count": 2}, verb="comment")
        await repository.delete(made.id)
        await repository.restore(made.id)
        events = await read_events(database, entity_id=made.id)
    assert [(event.type, event.version) for event in events] == [
        ("content:create:v1:success", 1), ("content:rename:v1:success", 2), ("content:comment:v1:success", None),
        ("content:delete:v1:success", 3), ("content:restore:v1:success", 4),
    ]  # fmt: skip
    assert (events[0].payload["title"], events[0].payload["tags"]) == ("a", ["x"])
    assert [event.payload for event in events[1:]] == [
        {"title": "b", "metadata": {"tags": [1]}}, {"comment_count": 2}, {}, {},
    ]  # fmt: skip
    assert {(event.actor, event.correlation_id) for event in events} == {("system:test", context.correlation_id)}
    assert {event.campaign_id for event in events} == {campaign}


async def test_a_reader_that_follows_writers_misses_nothing_and_sees_nothing_twice(
    database: Database, database_url: str, campaign: int
) -> None:
    repository, chance, writing = contents(database), random.Random(7), True

    async def writer(number: int) -> None:
        for turn in range(12):
            try:
                async with transaction(database):
                    for _ in range(chance.randint(1, 3)):
                        made = await repository.create({"title": f"{number}-{turn}"})
                        await asyncio.sleep(chance.random() * 0.02)
                        await repository.update(made.id, {"body": "changed"})
                    if chance.random() < 0.3:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                continue

    async def reader() -> list[Event]:
        seen: list[Event] = []
        batches = 0
        while True:
            last_round = not writing
            async for events in follow(database, after=seen[-1].cursor if seen else None, batch=4):
                seen += events
                batches += 1
            if last_round:
                assert batches > 10, "the reader did not read while the writers wrote"
                return seen
            await asyncio.sleep(0.002)

    with within(campaign):
        reading = asyncio.create_task(reader())
        await asyncio.gather(*(writer(number) for number in range(6)))
        writing = False
        seen = [event.id for event in await asyncio.wait_for(reading, 30)]
    async with admin(database_url) as connection:
        rows = await connection.fetch("SELECT id FROM service_event WHERE campaign_id = $1", campaign)
    assert len(rows) > 100
    missed = {row["id"] for row in rows} - set(seen)
    doubled = len(seen) - len(set(seen))
    assert (sorted(missed), doubled) == ([], 0)
    assert set(seen) == {row["id"] for row in rows}


async def test_an_event_of_a_running_transaction_holds_back_those_that_came_after(
    database: Database, campaign: int
) -> None:
    repository, proceed, wrote = contents(database), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with transaction(database):
            await repository.create({"title": "slow"})
            wrote.set()
            await proceed.wait()

    with within(campaign):
        before = (await read_events(database))[-1].cursor
        task = asyncio.create_task(slow())
        await wrote.wait()
        await repository.create({"title": "quick"})
        assert await read_events(database, after=before) == []
        proceed.set()
        await task
        events = await anext(follow(database, after=before))
    assert [event.payload["title"] for event in events] == ["slow", "quick"]


async def test_the_feed_is_narrowed_by_type_and_entity_and_is_of_one_campaign(
    database: Database, campaign: int
) -> None:
    repository, other = contents(database), await make_campaign(database)
    with within(campaign):
        one, two = [await repository.create({"title": f"{n}"}) for n in range(2)]
        await repository.update(one.id, {"title": "x"})
        updates = await read_events(database, types=["content:update:v1:success"])
        assert [event.master_id for event in updates] == [one.id]
        assert [event.version for event in await read_events(database, entity_id=one.id)] == [1, 2]
        assert await read_events(database, entity_id=two.id, types=["content:update:v1:success"]) == []
    with within(other):
        assert await read_events(database, entity_id=one.id) == []
        assert {event.campaign_id for event in await read_events(database)} == {other}


@pytest.mark.parametrize("cursor", ["x", "1", "1-", "-1", "1-2-3", f"{2**64}-1", f"1-{2**53}", "1-1; DROP", "١-١"])
async def test_a_cursor_that_the_feed_did_not_give_is_refused(database: Database, campaign: int, cursor: str) -> None:
    with within(campaign), pytest.raises(InvalidValue):
        await read_events(database, after=cursor)


async def test_every_past_state_can_be_rebuilt(database: Database, campaign: int) -> None:
    repository = contents(database)
    section = {"service_specific": {"content": {"section": "news", "a": 1}}}
    with within(campaign):
        states = [await repository.create({"title": "first", "tags": ["a"], "metadata": section})]
        id = states[0].id
        for change in (
            {"title": "second"},
            {"metadata": {"service_specific": {"content": {"section": None, "b": 2}}}},
            {"tags": [], "body": "text", "slug": f"s-{id}"},
            {"slug": None},
        ):
            await asyncio.sleep(0.002)
            states.append(await repository.update(id, change))
        for state in states:
            assert await state_at(database, Content, id, state.updated_at) == state
        await asyncio.sleep(0.002)
        gone = await repository.delete(id)
        await asyncio.sleep(0.002)
        back = await repository.restore(id)
        assert await state_at(database, Content, id, back.updated_at) == back == await repository.get(id)
        for moment in (gone.updated_at, id_time(id - 4096)):
            with pytest.raises(EntityNotFound):
                await state_at(database, Content, id, moment)


async def test_a_past_state_has_exact_decimals_counters_and_types(database: Database, campaign: int) -> None:
    products, variants = Repository(database, Product), Repository(database, Variant)
    with within(campaign):
        product = await products.create({"name": "p"})
        values = {"product_id": product.id, "sku": "s", "name": "v", "price": Decimal("12.3400"), "currency": "EUR"}
        made = await variants.create(values, key="exact")
        await variants.adjust(made.id, {"stock": 5}, verb="restock")
        await variants.update(made.id, {"price": Decimal("0.1")})
        now = await variants.get(made.id)
        assert await state_at(database, Variant, made.id, now.updated_at) == now
        assert (await created_state(database, Variant, "exact")).price == Decimal("12.34")


async def test_the_past_of_another_campaign_or_type_is_not_there(database: Database, campaign: int) -> None:
    other = await make_campaign(database)
    with within(campaign):
        made = await contents(database).create({"title": "mine"})
        with pytest.raises(EntityNotFound):
            await state_at(database, Product, made.id, made.created_at)
    with within(other), pytest.raises(OvasabiError):
        await state_at(database, Content, made.id, made.created_at)


async def test_an_event_type_that_breaks_the_grammar_is_refused_by_the_database(
    database: Database, campaign: int
) -> None:
    assert type_of(Content).event_type("Bad Verb") == "content:Bad Verb:v1:success"
    with within(campaign), pytest.raises(OvasabiError):
        await contents(database).create({"title": "t"}, verb="Bad Verb")
