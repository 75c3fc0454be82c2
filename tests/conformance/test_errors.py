"""What every type refuses, and how it tells one refusal from another."""

import uuid

import msgspec
import pytest

from ovasabi.kernel.call.errors import (
    EntityNotFound,
    InvalidValue,
    KeyTaken,
    VersionConflict,
)
from ovasabi.kernel.declare.entity import EntityType, declared
from tests.integration.drafts import Maker, within


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
