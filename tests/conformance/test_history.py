"""Every type over time: deleted and restored, and as it was at any moment."""

import asyncio
from datetime import timedelta

import pytest

from ovasabi.kernel.call.errors import (
    EntityNotFound,
)
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.store.listing import ListRequest
from tests.integration.drafts import Maker, within


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
