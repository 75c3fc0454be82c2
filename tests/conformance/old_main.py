"""What holds for every entity of every service: no list of them is kept here, a new one is tested by being there."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.call.errors import (
    EntityNotFound,
    InvalidValue,
    KeyReused,
    KeyTaken,
    ReferenceMissing,
    VersionConflict,
)
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Numeric, Output, Secret
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.declare.methods import Call, MethodKind
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.service import SearchRequest, ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.registry import EntityRegistry
from tests.conftest import new_campaign
from tests.integration.drafts import Maker, within

discover()


@pytest.fixture(params=sorted(declared))
def of(request: pytest.FixtureRequest) -> EntityType:
    """Each entity type there is."""
    return declared[request.param]


@pytest_asyncio.fixture
async def maker(registry: ServiceRegistry, campaign: int) -> Maker:
    """Makes entities in a campaign of the test's own."""
    return Maker(registry, campaign)


@pytest_asyncio.fixture(scope="module")
async def counted(database_url: str, database: Database) -> AsyncIterator[tuple[ServiceRegistry, list[str]]]:
    """Services with one connection of each kind, and the statements that they send."""
    sent: list[str] = []
    opened = await Database(database_url, readers=1, writers=1).open()
    for pool in (Pool.READ, Pool.FOLLOW_INDEX, Pool.WRITE, Pool.WRITE_PLANNED):
        async with opened._connection(pool, 5) as connection:
            connection.add_query_logger(lambda record: sent.append(record.query))
    yield ServiceRegistry(opened), sent
    await opened.close()


async def events_of(database: Database, entity: Any) -> list[Event]:
    """The events of an entity, once every transaction that was open meanwhile has ended."""
    with within(entity):
        version = (await EntityRegistry(database).get(entity.id)).version
        for _ in range(500):
            events = await read_events(database, entity_id=entity.id)
            if max((event.version or 0 for event in events), default=0) >= version:
                return events
            await asyncio.sleep(0.02)
    raise AssertionError("the events do not come")


async def test_each_write_has_its_registry_row_and_its_event(of: EntityType, maker: Maker, database: Database) -> None:
    acts, records = maker.acts(of.name), EntityRegistry(database)
    made = await maker.create(of.name)
    with within(made):
        record = await records.get(made.id)
        assert (record.type, record.status, record.version, record.uuid) == (of.name, "active", 1, made.uuid)
        assert record.name == str(getattr(made, of.title))[:200]
        assert made.created_at == id_time(made.id) == record.created_at
        changed = await acts.update(made.id, await maker.patch(of.name))
        record = await records.get(made.id)
        assert changed.version == record.version == 2
        assert (record.name, record.updated_at) == (str(getattr(changed, of.title))[:200], changed.updated_at)
        assert (await acts.delete(made.id)).version == 3
        assert (await records.get(made.id)).status == "deleted"
        assert (await acts.restore(made.id)).version == 4
    events = await events_of(database, made)
    written = [(event.type, event.version) for event in events if event.version is not None]
    verbs = ["create", "update", "delete", "restore"]
    assert written == [(of.event_type(verb), number) for number, verb in enumerate(verbs, 1)]
    assert {(event.actor, event.campaign_id) for event in events} == {("system:test", made.campaign_id)}


async def test_a_write_is_one_statement_and_a_read_is_one(
    of: EntityType, maker: Maker, counted: tuple[ServiceRegistry, list[str]]
) -> None:
    (registry, sent), drafts = counted, [await maker.draft(of.name) for _ in range(2)]
    repository = registry.named(of.name).repository
    numbers = 1 if of.scope is Scope.ROOT else 0  # a campaign's number is drawn before it is written
    # The first round is not counted: in it the driver asks for the types that it meets.
    for draft in drafts:
        patch = await maker.patch(of.name)
        sent.clear()
        with maker.creating(of.name):
            made = await repository.create(draft)
        steps = [len(sent) - numbers]
        with within(made):
            for call in (
                lambda id: repository.get(id),
                lambda id, patch=patch: repository.update(id, patch),
                lambda id: repository.delete(id),
                lambda id: repository.restore(id),
                lambda id: registry.named(of.name).list(ListRequest()),
                lambda id: registry.named(of.name).get(id),
            ):
                sent.clear()
                await call(made.id)
                steps.append(len(sent))
    # Where it is counted, a delete or a restore and its count are a transaction; the create is one statement as well.
    marks = 1 if of.counter is None else len(["BEGIN", "the row", "its count", "COMMIT"])
    assert steps == [1, 1, 1, marks, marks, 1, 1]


async def test_what_is_read_is_what_was_written(of: EntityType, maker: Maker) -> None:
    service, draft = maker.service(of.name), await maker.draft(of.name)
    acts = maker.acts(of.name)
    msgspec.convert(msgspec.to_builtins(draft), of.draft)
    made = await maker.create(of.name, draft)
    secrets = {field.name for field in of.stored if field.has(Secret)}
    with within(made):
        assert await service.get(made.id) == await service.get(str(made.uuid)) == made
        for name, value in draft.items():
            assert name in secrets or getattr(made, name) == value
        patch = await maker.patch(of.name)
        changed = await acts.update(made.id, patch)
        assert await service.get(made.id) == changed
        for name, value in patch.items():
            assert name in secrets or name == "metadata" or getattr(changed, name) == value
        assert changed.metadata == draft["metadata"] | patch["metadata"]
        untouched = set(of.by_name) - set(patch) - secrets - {f.name for f in of.fields if f.has(Output)}
        assert all(getattr(changed, name) == getattr(made, name) for name in untouched)


async def test_a_decimal_is_kept_as_it_was_given_or_refused(of: EntityType, maker: Maker) -> None:
    for field in of.stored:
        if field.base is not Decimal or field.has(Output):
            continue
        digits, draft = field.get(Numeric) or Numeric(), await maker.draft(of.name)
        made = await maker.create(of.name, draft)
        more = draft[field.name] + Decimal(1).scaleb(-digits.scale - 1)
        less = Decimal(10).scaleb(digits.precision - digits.scale - 1)
        for value in (more, less, Decimal("NaN"), Decimal("Infinity"), Decimal("1e-999999999")):
            with pytest.raises(InvalidValue) as refused:
                await maker.create(of.name, await maker.draft(of.name) | {field.name: value})
            assert refused.value.field == field.name
            with within(made), pytest.raises(InvalidValue):
                await maker.acts(of.name).update(made.id, {field.name: value})


async def test_a_secret_is_in_no_answer_and_no_event(of: EntityType, maker: Maker, database: Database) -> None:
    made = await maker.create(of.name)
    with within(made):
        changed = await maker.acts(of.name).update(made.id, await maker.patch(of.name))
    shown = msgspec.json.encode([made, changed, *await events_of(database, made)]).decode()
    for field in of.stored:
        if field.has(Secret):
            with within(made):
                sealed = (await maker.service(of.name).repository.secret(made.id))[field.column]
            assert sealed
            assert f'"{field.name}"' not in shown
            assert f'"{field.column}"' not in shown
            assert sealed not in shown


async def test_another_campaign_neither_sees_nor_changes_it(of: EntityType, maker: Maker, database: Database) -> None:
    service, records, other = maker.service(of.name), EntityRegistry(database), await new_campaign(maker.registry)
    acts = maker.acts(of.name)
    repository, made = service.repository, await maker.create(of.name)
    patch = {} if of.scope is not Scope.CAMPAIGN else await maker.patch(of.name)
    with acting(system_context("test", other)):
        calls = [repository.get, service.get, acts.delete, acts.restore, repository.delete, repository.restore]
        for call in calls:
            for reference in (made.id, str(made.uuid)):
                if not (call in (repository.delete, repository.restore) and isinstance(reference, str)):
                    with pytest.raises(EntityNotFound):
                        await call(reference)
        for call in (acts.update, repository.update):
            with pytest.raises(EntityNotFound):
                await call(made.id, patch or {"metadata": {"tags": ["stolen"]}})
        with pytest.raises(EntityNotFound):
            await service.get(made.id, as_of=made.created_at)
        if any(field.has(Secret) for field in of.stored):
            with pytest.raises(EntityNotFound):
                await repository.secret(made.id)
        for method in service.methods():
            if method.operation is MethodKind.VERB and method.on_entity:
                with pytest.raises(EntityNotFound):
                    await service.run(Call(method, None, str(made.id)))
        assert await repository.get_many([made.id]) == {}
        page = await service.list(ListRequest(filter=f"id = {made.id}", include_total=True))
        assert (page.items, page.total_size) == ([], 0)
        assert await read_events(database, entity_id=made.id) == []
        await _registry_shows_nothing(records, made, str(getattr(made, of.title)))
        if of.searched:
            assert (await service.search(SearchRequest(q=str(getattr(made, of.searched[0].name))))).hits == []
    with within(made):
        assert await service.get(made.id) == made
    assert len([event for event in await events_of(database, made) if event.version is not None]) == 1


async def _registry_shows_nothing(records: EntityRegistry, made: Any, name: str) -> None:
    with pytest.raises(EntityNotFound):
        await records.get(made.id)
    assert await records.get_many([made.id]) == {}
    assert made.id not in {record.id for record in (await records.list(page_size=1000, deleted=True)).records}
    for mode in ("text", "fuzzy", "pattern"):
        assert made.id not in {record.id for record in await records.search(name, mode=mode)}


async def test_what_is_of_another_campaign_cannot_be_referred_to(of: EntityType, maker: Maker) -> None:
    elsewhere = Maker(maker.registry, await new_campaign(maker.registry))
    for field in of.references:
        if field.has(Output):
            continue
        wanted = field.markers[[hasattr(marker, "type") for marker in field.markers].index(True)].type
        strangers = [1, (await maker.create("campaign" if wanted != "campaign" else "user")).id]
        if declared[wanted].scope is Scope.CAMPAIGN:
            strangers.append((await elsewhere.create(wanted)).id)
        for stranger in strangers:
            draft = await maker.draft(of.name)
            with pytest.raises(ReferenceMissing) as missing:
                await maker.create(of.name, draft | {field.name: stranger})
            assert missing.value.field == field.name


async def test_a_missing_entity_and_an_old_version_are_told_apart(of: EntityType, maker: Maker) -> None:
    service, made = maker.service(of.name), await maker.create(of.name)
    acts = maker.acts(of.name)
    with within(made):
        patch = {"metadata": {"tags": ["two"]}}
        for reference in (made.id + 1, str(uuid.uuid4()), str(made.uuid)[:-1] + "?", "nothing", "-1", str(1 << 60)):
            for call in (service.get, acts.delete, acts.restore):
                with pytest.raises(EntityNotFound):
                    await call(reference)
            with pytest.raises(EntityNotFound):
                await acts.update(reference, patch)
        for call in (acts.update(made.id, patch, expected_version=2), acts.delete(made.id, expected_version=2)):
            with pytest.raises(VersionConflict) as conflict:
                await call
            assert conflict.value.values["version"] == 1
        assert await service.get(made.id) == made
        assert (await acts.update(made.id, patch, expected_version=1)).version == 2


async def test_metadata_of_unknown_roots_and_of_others_is_refused(of: EntityType, maker: Maker) -> None:
    acts, made = maker.acts(of.name), await maker.create(of.name)
    another = next(other.service for other in declared.values() if other.service != of.service)
    for metadata in ({"tgas": ["x"]}, {"service_specific": {another: {}}}, {"service_specific": []}):
        with pytest.raises(InvalidValue) as refused:
            await maker.create(of.name, await maker.draft(of.name) | {"metadata": metadata})
        assert str(refused.value.field).startswith("metadata.")
        with within(made), pytest.raises(InvalidValue):
            await acts.update(made.id, {"metadata": metadata})


async def test_a_natural_key_is_taken_freed_by_a_delete_and_claimed_by_a_restore(of: EntityType, maker: Maker) -> None:
    acts = maker.acts(of.name)
    for group in of.unique:
        draft = await maker.draft(of.name)
        made = await maker.create(of.name, draft)
        rival = await maker.draft(of.name) | {name: draft[name] for name in group}
        with pytest.raises(KeyTaken) as taken:
            await maker.create(of.name, rival)
        assert taken.value.field == "+".join(group)
        with within(made):
            await acts.delete(made.id)
        second = await maker.create(of.name, rival)
        with within(made), pytest.raises(KeyTaken):
            await acts.restore(made.id)
        with within(second):
            await acts.delete(second.id)
        with within(made):
            restored = await acts.restore(made.id)
        assert restored == msgspec.structs.replace(made, version=3, updated_at=restored.updated_at)


async def test_a_deleted_entity_is_gone_until_it_is_restored(of: EntityType, maker: Maker) -> None:
    service, made = maker.service(of.name), await maker.create(of.name)
    acts = maker.acts(of.name)
    with within(made):
        one = ListRequest(filter=f"id = {made.id}", include_total=True)
        assert (await service.list(one)).total_size == 1
        deleted = await acts.delete(made.id, expected_version=1)
        for call in (service.get, acts.delete):
            with pytest.raises(EntityNotFound):
                await call(made.id)
        with pytest.raises(EntityNotFound):
            await acts.update(made.id, {"metadata": {"tags": ["late"]}})
        assert (await service.list(one)).total_size == 0
        restored = await acts.restore(made.id)
        assert (deleted.version, restored.version) == (2, 3)
        assert await service.get(made.id) == restored
        with pytest.raises(EntityNotFound):
            await acts.restore(made.id)


async def test_the_past_is_what_was_answered_then(of: EntityType, maker: Maker) -> None:
    service, made = maker.service(of.name), await maker.create(of.name)
    acts = maker.acts(of.name)
    answers = [made]
    with within(made):
        for _ in range(2):
            await asyncio.sleep(0.003)
            answers.append(await acts.update(made.id, await maker.patch(of.name)))
        await asyncio.sleep(0.003)
        deleted = await acts.delete(made.id)
        await asyncio.sleep(0.003)
        answers.append(await acts.restore(made.id))
        for answer in answers:
            assert await service.get(made.id, as_of=answer.updated_at) == answer
        for moment in (made.created_at - timedelta(milliseconds=1), deleted.updated_at):
            with pytest.raises(EntityNotFound):
                await service.get(made.id, as_of=moment)


async def test_a_create_repeated_under_its_key_also_at_once_has_one_answer(of: EntityType, maker: Maker) -> None:
    draft, key = await maker.draft(of.name), uuid.uuid4().hex
    answers = await asyncio.gather(*(maker.create(of.name, draft, key=key) for _ in range(6)))
    assert [answer for answer in answers if answer != answers[0]] == []
    with within(answers[0]):
        await maker.acts(of.name).update(answers[0].id, {"metadata": {"tags": ["since"]}})
    assert await maker.create(of.name, draft, key=key) == answers[0]
    with pytest.raises(KeyReused):
        await maker.create(of.name, draft | {"metadata": {"tags": ["other"]}}, key=key)


async def test_pages_neither_repeat_nor_miss_while_others_write(of: EntityType, maker: Maker) -> None:
    service, made = maker.service(of.name), [await maker.create(of.name) for _ in range(5)]
    ids, first = [entity.id for entity in made], made[0].id
    orders = [
        "",
        "created_at",
        *(f"{f.name} {way}" for f in of.fields if f.sortable and not f.nullable for way in ("asc", "desc")),
    ]
    with acting(system_context("test", maker.campaign if of.scope is Scope.CAMPAIGN else PLATFORM)):
        for order in orders:
            found: list[Any] = []
            request = ListRequest(page_size=2, order_by=order, filter=f"id >= {first} AND id <= {ids[-1]}")
            while True:
                page = await service.list(request)
                found += page.items
                if not page.next_page_token:
                    break
                await maker.create(of.name, await maker.least(of.name))
                request = msgspec.structs.replace(request, page_token=page.next_page_token)
            assert sorted(entity.id for entity in found) == ids, order
            name, _, way = (order or "created_at desc").partition(" ")
            keys = [(getattr(entity, name), entity.id) for entity in found]
            assert keys == sorted(keys, reverse=way == "desc"), order


async def test_its_text_is_found_in_its_campaign(of: EntityType, maker: Maker) -> None:
    made = await maker.create(of.name)
    with within(made):
        for field in of.searched:
            value = getattr(made, field.name)
            word = (value[0] if field.is_list else value).split()[0]
            answer = await maker.service(of.name).search(SearchRequest(q=word))
            assert made.id in [hit.entity.id for hit in answer.hits], field.name
