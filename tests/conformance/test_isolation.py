"""Every type between campaigns: another one neither sees nor changes it, and nothing is there without a scope."""

from typing import Any

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import acting, system_context
from ovasabi.kernel.call.errors import (
    EntityNotFound,
    ReferenceMissing,
)
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Output, Secret
from ovasabi.kernel.declare.methods import Call, MethodKind
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.service import SearchRequest
from ovasabi.kernel.store.listing import ListRequest
from tests.conformance.fixtures import events_of, name_of
from tests.conftest import new_campaign
from tests.integration.drafts import Maker, within


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
        await _registry_shows_nothing(records, made, await name_of(database, of, made))
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


async def test_without_a_scope_nothing_is_there(of: EntityType, maker: Maker, app: asyncpg.Connection) -> None:
    await maker.create(of.name)
    assert await app.fetchval(f"SELECT count(*) FROM {of.table_name}") == 0
