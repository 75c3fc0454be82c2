"""What `before_delete` forbids is forbidden, whoever changes the entity while it is checked."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ovasabi.kernel.call.context import Context, acting, current
from ovasabi.kernel.call.errors import Contended, EntityNotFound, RuleBroken, VersionConflict
from ovasabi.kernel.service import EntityService, ServiceRegistry, services
from ovasabi.services.content.entity import Content, ContentState
from ovasabi.services.content.service import Contents
from tests.integration.services.calls import call


class Guarded(EntityService[Content]):
    """Contents, of which the published ones are kept; somebody does something with each draft that is deleted."""

    async def before_delete(self, entity: Content) -> None:
        """Refuses to delete published contents."""
        if entity.state is ContentState.PUBLISHED:
            raise RuleBroken(type="content", name="state", field="state")
        verb, times = entity.body.split()
        if entity.version <= int(times):
            acts = _apart(current(), self.registry.service(Contents), verb, entity)
            await asyncio.create_task(acts, context=contextvars.Context())


services.remove(Guarded)


async def _apart(context: Context, contents: Contents, verb: str, entity: Content) -> None:
    with acting(context):
        if verb == "update":
            await contents.update(entity.id, {"title": f"after {entity.version}"})
        else:
            await call(contents, verb, entity.id)


@asynccontextmanager
async def draft(registry: ServiceRegistry, context: Context, meanwhile: str) -> AsyncIterator[tuple[Guarded, Content]]:
    """A content, and the guarded service, during whose check of it something is done a number of times."""
    guarded = Guarded(registry.database, registry)
    with acting(context):
        yield guarded, await registry.service(Contents).create({"title": "t", "body": meanwhile})


async def test_a_content_that_is_published_while_its_delete_is_checked_is_kept(
    registry: ServiceRegistry, context: Context
) -> None:
    async with draft(registry, context, "publish 1") as (guarded, content):
        with pytest.raises(RuleBroken):
            await guarded.delete(content.id)
        assert (await guarded.get(content.id)).state is ContentState.PUBLISHED


async def test_a_content_that_is_changed_while_its_delete_is_checked_is_checked_again(
    registry: ServiceRegistry, context: Context
) -> None:
    async with draft(registry, context, "update 2") as (guarded, content):
        deleted = await guarded.delete(content.id)
        assert (deleted.title, deleted.version) == ("after 2", 4)
        with pytest.raises(EntityNotFound):
            await guarded.get(content.id)


async def test_a_delete_of_a_version_that_is_no_more_is_refused(registry: ServiceRegistry, context: Context) -> None:
    async with draft(registry, context, "update 1") as (guarded, content):
        with pytest.raises(VersionConflict):
            await guarded.delete(content.id, expected_version=1)
        assert (await guarded.get(content.id)).version == 2


async def test_a_delete_gives_way_to_a_content_that_changes_all_the_time(
    registry: ServiceRegistry, context: Context
) -> None:
    async with draft(registry, context, "update 1000000") as (guarded, content):
        with pytest.raises(Contended):
            await guarded.delete(content.id)
        assert (await guarded.get(content.id)).title.startswith("after")
