"""Fields can be named by keywords of SQL, and like the columns that statements use themselves."""

import types
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest_asyncio
from alembic.migration import MigrationContext
from alembic.operations import Operations
from msgspec import Meta
from sqlalchemy.ext.asyncio import create_async_engine

from ovasabi.database.connection import Database
from ovasabi.database.roles import OWNER_ROLE
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import Filter, Immutable, Search, Unique
from ovasabi.kernel.declare.names import QUOTED, UNQUOTABLE, check_snake
from ovasabi.kernel.service import EntityService, SearchRequest, ServiceRegistry, services
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.transfer.line_decoder import LineDecoder
from ovasabi.kernel.transfer.lines import Line
from ovasabi.lifecycle import partitions
from ovasabi.lifecycle.declared_schema import metadata_of
from tests.integration.kernel.fixtures import admin, within

OF_STATEMENTS = [
    "verdict",
    "asked_by",
    "rank",
    "matched",
    "corrected",
    "total",
    "data",
    "digest",
    "expected",
    "at",
    "n",
]
MARKS = ([Filter()], [Search()], [])


def possible(name: str) -> bool:
    """Whether a class can have a field of the name."""
    try:
        check_snake("A field", name)
    except DeclarationError:
        return False
    return name not in UNQUOTABLE


NAMES = [name for name in sorted({*QUOTED, *OF_STATEMENTS}) if possible(name)]
TEXTS = {name: MARKS[index % 3] for index, name in enumerate(NAMES) if index % 4}
NUMBERS = [name for name in NAMES if name not in TEXTS]


def declare() -> Any:
    """An entity type with all of these fields: texts that are filtered or searched, and bounded numbers."""
    fields: list[Any] = [(name, Annotated[str, Meta(max_length=50), *marks], "") for name, marks in TEXTS.items()]
    fields += [(name, Annotated[int, Meta(ge=0), Filter()], 0) for name in NUMBERS]
    fields += [("user_code", Annotated[str, Unique(fold=True)] | None, None)]
    fields += [("left_a", Annotated[str, Immutable()], ""), ("left_b", Annotated[str, Immutable()], "")]
    cls = msgspec.defstruct(
        "Sampleword", fields, bases=(Entity,), module="ovasabi.services.event_sampleword.entity", kw_only=True
    )
    return entity(plural="samplewords", title="order", unique=[("left_a", "left_b")])(cls)


@pytest_asyncio.fixture(scope="module")
async def words(database_url: str) -> AsyncIterator[type[EntityService[Any]]]:
    """The service of such an entity, whose table is made as a migration makes it; nothing of it is left behind."""
    of = type_of(declare())
    service = types.new_class("Words", (EntityService[of.cls],))  # type: ignore[name-defined]

    def make(connection: Any) -> None:
        connection.exec_driver_sql(f"SET ROLE {OWNER_ROLE}")
        operations = Operations(MigrationContext.configure(connection))
        metadata = metadata_of({of.name: of})
        table = metadata.tables[of.table_name]
        table.create(connection)
        operations.execute(f"CALL register_entity('{of.name}', '{of.service}', '{of.table_name}', '{of.scope}', true)")

    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(make)
    await engine.dispose()
    yield service
    services.remove(service)
    del declared[of.name]


@pytest_asyncio.fixture
async def service(database: Database, words: type[EntityService[Any]]) -> Any:
    """That service, running."""
    await partitions.ensure(database, 1)
    return ServiceRegistry(database).service(words)


def values(text: str, number: int) -> dict[str, Any]:
    """A value for each field."""
    made = {name: f"{text} {name}"[:50] for name in TEXTS} | dict.fromkeys(NUMBERS, number)
    return made | {"left_a": text, "left_b": uuid.uuid4().hex, "user_code": uuid.uuid4().hex}


async def test_the_keywords_of_postgresql_are_all_known(database_url: str) -> None:
    async with admin(database_url) as connection:
        rows = await connection.fetch("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'")
    assert {row["word"] for row in rows} <= QUOTED | UNQUOTABLE


async def test_a_table_that_is_named_like_the_log_of_events_is_not_part_of_it(service: Any, database_url: str) -> None:
    guarded = (
        "SELECT count(*) FROM pg_trigger WHERE tgname = 'service_event_no_truncate' AND tgrelid::regclass::text ~ $1"
    )
    async with admin(database_url) as connection:
        assert await connection.fetchval(guarded, "^service_event_sampleword_main_") == 0
        assert await connection.fetchval(guarded, "^service_event_operational_") > 0


async def test_they_are_created_read_changed_deleted_and_restored(service: Any, campaign: int) -> None:
    first, second = values("one", 1), values("two", 2)
    with within(campaign):
        made = await service.create(first)
        again = await service.get(made.id)
        assert made == again
        assert {name: getattr(again, name) for name in first} == first
        assert await service.get(made.id, as_of=datetime.now(UTC)) == made
        changes = {name: value for name, value in second.items() if not name.startswith("left_")}
        changed = await service.update(made.uuid, changes)
        assert {name: getattr(changed, name) for name in changes} == changes
        adjusted = await service.repository.adjust(made.id, dict.fromkeys(NUMBERS, 3), verb="count")
        assert {getattr(adjusted, name) for name in NUMBERS} == {5}
        deleted = await service.delete(made.id)
        assert {getattr(deleted, name) for name in NUMBERS} == {5}
        restored = await service.restore(made.id)
        assert {name: getattr(restored, name) for name in TEXTS} == {name: changes[name] for name in TEXTS}


async def test_they_are_found_by_filters_in_order_and_by_their_words(service: Any, campaign: int) -> None:
    with within(campaign):
        made = [await service.create(values(f"word{number}", number)) for number in (3, 1, 2)]
        for name in NUMBERS:
            page = await service.list(ListRequest(filter=f"{name} >= 2", order_by=name, include_total=True))
            assert ([getattr(item, name) for item in page.items], page.total_size) == ([2, 3], 2), name
        for name in (name for name, marks in TEXTS.items() if marks and isinstance(marks[0], Filter)):
            text = f'"word1 {name}"'
            page = await service.list(ListRequest(filter=f"{name} = {text}", order_by=f"{name} desc"))
            assert [item.id for item in page.items] == [made[1].id], name
        answer = await service.search(SearchRequest(q="word2"))
        assert [hit.entity.id for hit in answer.hits] == [made[2].id]
        assert answer.hits[0].rank > 0
        assert answer.hits[0].entity == made[2]
        assert (answer.total, answer.corrected) == (1, False)
        ranked = await service.search(SearchRequest(q="word2 OR word1 OR word3"))
        assert [hit.rank for hit in ranked.hits] == sorted((hit.rank for hit in ranked.hits), reverse=True)
        assert len(ranked.hits) == 3


async def test_they_are_imported_from_what_was_exported(service: Any, campaign: int) -> None:
    decoder = LineDecoder(service.repository.of, None)
    given = [values("line", 7), values("line", 8)]
    drafts = [decoder.from_json(Line(number, msgspec.json.encode(each), 0)) for number, each in enumerate(given, 1)]
    with within(campaign):
        made = await service.create_many(drafts)
        listed = {item.id: item for item in (await service.list(ListRequest())).items}
    assert [listed[each.id] for each in made] == made
    assert [{name: getattr(each, name) for name in values} for each, values in zip(made, given, strict=True)] == given
