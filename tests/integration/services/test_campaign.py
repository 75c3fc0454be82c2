"""Campaigns: made on the platform alone, moved through their life, and placed before they are seen."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM, Context, acting, in_campaign, system_context
from ovasabi.kernel.call.errors import EntityNotFound, KeyTaken, ReferenceMissing
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.service import Contents
from ovasabi.system.campaign.directory import number_of
from ovasabi.system.campaign.errors import DatesReversed, NothingScheduled, NotOnPlatform
from ovasabi.system.campaign.service import Campaigns
from tests.conftest import new_campaign
from tests.integration.services.calls import call

ON_PLATFORM = system_context("test", PLATFORM)


def slug() -> str:
    return f"s{uuid.uuid4().hex[:12]}"


async def partitions_of(database: Database, number: int) -> int:
    tables = "SELECT relname FROM pg_class WHERE relispartition AND relkind IN ('r', 'p')"
    rows = await database.read(
        f"SELECT count(*) FROM ({tables}) AS t WHERE relname ~ ('_c' || $1 || '(_|$)')", str(number)
    )
    return int(rows[0][0])


async def next_number(database: Database) -> int:
    """Draws the number after those of all campaigns."""
    return int((await database.write("SELECT nextval('campaign_number')"))[0][0])


async def test_a_campaign_is_not_created_within_a_campaign(registry: ServiceRegistry, context: Context) -> None:
    with acting(context), pytest.raises(NotOnPlatform):
        await registry.service(Campaigns).create({"slug": slug(), "title": "no"})


async def test_it_must_start_before_it_ends_also_when_only_one_date_changes(registry: ServiceRegistry) -> None:
    campaigns, now = registry.service(Campaigns), datetime.now(UTC)
    with acting(ON_PLATFORM):
        with pytest.raises(DatesReversed):
            await campaigns.create({"slug": slug(), "title": "x", "starts_at": now, "ends_at": now})
        made = await campaigns.create(
            {"slug": slug(), "title": "x", "starts_at": now, "ends_at": now + timedelta(days=1)}
        )
    with acting(system_context("test", made.campaign_id)):
        with pytest.raises(DatesReversed):
            await campaigns.update(made.id, {"ends_at": now - timedelta(days=1)})
        with pytest.raises(DatesReversed):
            await campaigns.update(made.id, {"starts_at": now + timedelta(days=2)})
        assert (await campaigns.update(made.id, {"ends_at": None})).ends_at is None


async def test_an_owner_who_is_not_a_user_is_refused(registry: ServiceRegistry) -> None:
    with acting(ON_PLATFORM), pytest.raises(ReferenceMissing):
        await registry.service(Campaigns).create({"slug": slug(), "title": "x", "owner_id": 1})


async def test_a_slug_is_taken_once_on_the_platform_also_within_one_batch(registry: ServiceRegistry) -> None:
    campaigns, name = registry.service(Campaigns), slug()
    with acting(ON_PLATFORM):
        answers = await campaigns.create_many([NewEntity({"slug": name, "title": "x"}) for _ in range(3)])
        assert [type(answer).__name__ for answer in answers] == ["Campaign", "KeyTaken", "KeyTaken"]


async def test_a_create_with_a_key_has_the_same_answer_again(registry: ServiceRegistry) -> None:
    campaigns, values = registry.service(Campaigns), {"slug": slug(), "title": "x"}
    with acting(ON_PLATFORM):
        first = await campaigns.create(values, key=f"k{values['slug']}")
        assert await campaigns.create(values, key=f"k{values['slug']}") == first


async def test_the_moves_of_its_life(registry: ServiceRegistry, context: Context) -> None:
    campaigns = registry.service(Campaigns)
    with acting(context):
        (it,) = (await campaigns.list(ListRequest())).items
        with pytest.raises(MoveRefused) as refused:
            await call(campaigns, "archive", it.id)
        assert "From active you can: schedule, deactivate, complete." in str(refused.value.hint)
        assert (await call(campaigns, "deactivate", it.id)).state == "inactive"
        with pytest.raises(NothingScheduled):
            await call(campaigns, "schedule", it.id)
        await campaigns.update(it.id, {"starts_at": datetime.now(UTC) + timedelta(days=1)})
        assert (await call(campaigns, "schedule", it.id)).state == "scheduled"
        assert (await call(campaigns, "activate", it.id)).state == "active"
        assert (await call(campaigns, "complete", it.id)).state == "completed"
        assert (await call(campaigns, "archive", it.id)).state == "archived"
        with pytest.raises(MoveRefused):
            await call(campaigns, "activate", it.id)


async def test_the_platform_lists_all_and_a_campaign_itself(registry: ServiceRegistry) -> None:
    campaigns = registry.service(Campaigns)
    numbers = {await new_campaign(registry) for _ in range(3)}
    with acting(ON_PLATFORM):
        assert numbers <= {item.campaign_id for item in (await campaigns.list(ListRequest(page_size=1000))).items}
        for number in numbers:
            with in_campaign(number):
                assert [item.campaign_id for item in (await campaigns.list(ListRequest())).items] == [number]


async def test_a_dedicated_campaign_has_its_partitions_before_its_row(
    registry: ServiceRegistry, database: Database
) -> None:
    campaigns, values = registry.service(Campaigns), {"slug": slug(), "title": "x", "dedicated": True}
    with acting(ON_PLATFORM):
        made = await campaigns.create(values, key=f"k{values['slug']}")
        count = await partitions_of(database, made.campaign_id)
        tables = await database.read("SELECT count(*) FROM entity_type WHERE scope = 'campaign'")
        assert count == 4 * tables[0][0]
        assert await campaigns.create(values, key=f"k{values['slug']}") == made
        with pytest.raises(KeyTaken):
            await campaigns.create(values)
        for number in range(made.campaign_id + 1, await next_number(database)):
            assert await partitions_of(database, number) == 0, "a repetition or a refusal leaves no partitions behind"
    with acting(system_context("test", made.campaign_id)):
        content = await registry.service(Contents).create({"title": "apart"})
    async with database.transaction() as connection:
        await connection.execute("SELECT set_config('ovasabi.campaigns', $1, true)", scope_of(made.campaign_id))
        lies = "SELECT tableoid::regclass::text FROM service_content_main WHERE master_id = $1"
        assert (await connection.fetchval(lies, content.id)).startswith(f"service_content_main_c{made.campaign_id}_2")


async def test_campaigns_of_a_batch_are_placed_like_any_other(registry: ServiceRegistry, database: Database) -> None:
    campaigns, taken, now = registry.service(Campaigns), slug(), datetime.now(UTC)
    with acting(ON_PLATFORM):
        await campaigns.create({"slug": taken, "title": "x"})
        drafts = [
            {"slug": slug(), "title": "apart", "dedicated": True},
            {"slug": slug(), "title": "in the pool"},
            {"slug": taken, "title": "taken", "dedicated": True},
            {"slug": slug(), "title": "reversed", "dedicated": True, "starts_at": now, "ends_at": now},
            {"slug": slug(), "title": "apart as well", "dedicated": True},
        ]
        answers = await campaigns.create_many([NewEntity(draft) for draft in drafts])
        assert [type(answer).__name__ for answer in answers] == [
            "Campaign", "Campaign", "KeyTaken", "DatesReversed", "Campaign",
        ]  # fmt: skip
        tables = (await database.read("SELECT count(*) FROM entity_type WHERE scope = 'campaign'"))[0][0]
        placed = [await partitions_of(database, answers[place].campaign_id) for place in (0, 1, 4)]
        assert placed == [4 * tables, 0, 4 * tables]
        last = await next_number(database)
        assert last == answers[0].campaign_id + 3, "a refused draft draws no number"


async def test_a_number_is_found_by_slug_and_number_until_the_campaign_is_deleted(
    registry: ServiceRegistry, database: Database
) -> None:
    campaigns, name = registry.service(Campaigns), slug()
    with acting(ON_PLATFORM):
        made = await campaigns.create({"slug": name, "title": "x"})
    assert await number_of(database, name) == await number_of(database, str(made.campaign_id)) == made.campaign_id
    with acting(system_context("test", made.campaign_id)):
        await campaigns.delete(made.id)
        for reference in (name, str(made.campaign_id), "nobody", "999999999", "0"):
            with pytest.raises(EntityNotFound):
                await number_of(database, reference)
        await campaigns.restore(made.id)
    assert await number_of(database, name) == made.campaign_id


async def test_a_known_campaign_costs_no_statement(registry: ServiceRegistry, database: Database, monkeypatch) -> None:
    with acting(ON_PLATFORM):
        made = await registry.service(Campaigns).create({"slug": slug(), "title": "x"})
    await number_of(database, made.slug)

    async def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a statement was sent")

    monkeypatch.setattr(database, "read", refuse)
    assert await number_of(database, made.slug) == made.campaign_id
