"""What every write of every type leaves behind: its registry row, its event, and what was given, exactly."""

import asyncio
import uuid
from decimal import Context, Decimal

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.errors import (
    InvalidValue,
    KeyReused,
)
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Numeric, Output, Secret
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.search.registry import EntityRegistry
from tests.conformance.fixtures import events_of, name_of
from tests.integration.drafts import Maker, within

EXACT = Context(prec=2_000)
"""Python rounds to 28 digits otherwise, and a column may have more."""


async def test_each_write_has_its_registry_row_and_its_event(of: EntityType, maker: Maker, database: Database) -> None:
    acts, records = maker.acts(of.name), EntityRegistry(database)
    made = await maker.create(of.name)
    with within(made):
        record = await records.get(made.id)
        assert (record.type, record.status, record.version, record.uuid) == (of.name, "active", 1, made.uuid)
        assert record.name == await name_of(database, of, made)
        assert made.created_at == id_time(made.id) == record.created_at
        changed = await acts.update(made.id, await maker.patch(of.name))
        record = await records.get(made.id)
        assert changed.version == record.version == 2
        assert (record.name, record.updated_at) == (await name_of(database, of, changed), changed.updated_at)
        assert (await acts.delete(made.id)).version == 3
        assert (await records.get(made.id)).status == "deleted"
        assert (await acts.restore(made.id)).version == 4
    events = await events_of(database, made)
    written = [(event.type, event.version) for event in events if event.version is not None]
    verbs = ["create", "update", "delete", "restore"]
    assert written == [(of.event_type(verb), number) for number, verb in enumerate(verbs, 1)]
    assert {(event.actor, event.campaign_id) for event in events} == {("system:test", made.campaign_id)}


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
        more = EXACT.add(draft[field.name], Decimal(1).scaleb(-digits.scale - 1))
        less = Decimal(10).scaleb(digits.precision - digits.scale - 1)
        for value in (more, less, Decimal("NaN"), Decimal("Infinity"), Decimal("1e-999999999")):
            wrong = await maker.draft(of.name) | {field.name: value}
            with pytest.raises(OvasabiError) as refused:
                await maker.create(of.name, wrong)
            assert refused.value.kind is Kind.INVALID  # maybe by a rule of the service's own, before the kernel looks
            with maker.creating(of.name), pytest.raises(InvalidValue) as invalid:
                await maker.service(of.name).repository.create(wrong)
            assert invalid.value.field == field.name
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


async def test_a_create_repeated_under_its_key_also_at_once_has_one_answer(of: EntityType, maker: Maker) -> None:
    draft, key = await maker.draft(of.name), uuid.uuid4().hex
    answers = await asyncio.gather(*(maker.create(of.name, draft, key=key) for _ in range(6)))
    assert [answer for answer in answers if answer != answers[0]] == []
    with within(answers[0]):
        await maker.acts(of.name).update(answers[0].id, {"metadata": {"tags": ["since"]}})
    assert await maker.create(of.name, draft, key=key) == answers[0]
    with pytest.raises(KeyReused):
        await maker.create(of.name, draft | {"metadata": {"tags": ["other"]}}, key=key)
