"""The directory and the campaigns are written one after the other: what is interrupted in between is completed."""

import uuid
from typing import Any

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM, acting, in_campaign, system_context
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue, KeyTaken, ReferenceMissing
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle import migrations, partitions
from ovasabi.system.campaign import directory
from ovasabi.system.campaign.directory import Entry, enter, number_of, reconcile
from ovasabi.system.campaign.service import Campaigns
from tests.integration.kernel.fixtures import admin, caught, make_campaign, migrate_until_writable, pools, together

ON_PLATFORM = system_context("test", PLATFORM)


def named(slug: str | None = None) -> dict[str, Any]:
    """The values of a campaign."""
    return {"slug": slug or f"d{uuid.uuid4().hex[:12]}", "title": "x"}


async def create(registry: ServiceRegistry, values: dict[str, Any], key: str | None = None) -> Any:
    """The campaign, or why it was refused."""
    with acting(ON_PLATFORM):
        return await caught(registry.service(Campaigns).create(values, key=key))


async def entry_of(database: Database, slug: str) -> list[tuple[str, bool]]:
    """The state of each entry with a slug, and whether it has a key."""
    rows = await database.read("SELECT state, key FROM campaign_directory WHERE slug = $1 ORDER BY number", slug)
    return [(row["state"], row["key"] is not None) for row in rows]


async def aged(url: str, slug: str) -> None:
    """Makes an entry older than that of any creation that is still running."""
    async with admin(url) as connection:
        await connection.execute(
            "UPDATE campaign_directory SET changed_at = now() - interval '1 hour' WHERE slug = $1", slug
        )


async def test_an_interrupted_creation_is_continued_under_its_key(
    registry: ServiceRegistry, database: Database
) -> None:
    values = named()
    (entered,) = await enter(database, [values["slug"]], ["key-" + values["slug"]])
    assert entered is not None
    assert entered.new
    with pytest.raises(EntityNotFound):
        await number_of(database, values["slug"])
    assert isinstance(await create(registry, values), KeyTaken)
    made = await create(registry, values, "key-" + values["slug"])
    assert made.campaign_id == entered.number == await number_of(database, values["slug"])
    assert await enter(database, [values["slug"]], ["key-" + values["slug"]]) == [Entry(entered.number, 0, new=False)]


async def test_an_abandoned_creation_gives_its_slug_back_but_one_that_may_be_running_does_not(
    registry: ServiceRegistry, database: Database, database_url: str
) -> None:
    values = named()
    await enter(database, [values["slug"]], ["gone-" + values["slug"]])
    await reconcile(database, database)
    assert isinstance(await create(registry, values), KeyTaken)
    await aged(database_url, values["slug"])
    assert await reconcile(database, database) == 1
    made = await create(registry, values, "gone-" + values["slug"])
    assert await entry_of(database, values["slug"]) == [("deleted", False), ("active", True)]
    assert await number_of(database, values["slug"]) == made.campaign_id


@pytest.mark.parametrize("fault", [{"owner_id": 1}, {"metadata": {"odd": 1}}])
async def test_a_refused_creation_leaves_its_slug_and_key_free(
    registry: ServiceRegistry, database: Database, fault: dict[str, Any]
) -> None:
    values = named()
    refused = await create(registry, values | fault, "k" + values["slug"])
    assert isinstance(refused, (ReferenceMissing, InvalidValue)), refused
    assert await entry_of(database, values["slug"]) == [("deleted", False)]
    made = await create(registry, values, "k" + values["slug"])
    assert await number_of(database, values["slug"]) == made.campaign_id


async def test_of_concurrent_creations_of_one_slug_one_wins_and_those_of_one_key_agree(
    registry: ServiceRegistry,
) -> None:
    values = named()
    made = await together(6, lambda _: create(registry, values))
    assert sorted(type(answer).__name__ for answer in made) == ["Campaign", *["KeyTaken"] * 5]
    values = named()
    made = await together(6, lambda _: create(registry, values, "k" + values["slug"]))
    assert len({answer.id for answer in made}) == 1


async def test_what_was_done_to_a_campaign_alone_comes_to_the_directory(
    registry: ServiceRegistry, database: Database
) -> None:
    made = await create(registry, values := named())
    repository = registry.service(Campaigns).repository
    with acting(ON_PLATFORM), in_campaign(made.campaign_id):
        await repository.delete(made.id)
        assert await reconcile(database, database) == 1
        assert await entry_of(database, values["slug"]) == [("deleted", False)]
        await repository.restore(made.id)
        assert await reconcile(database, database) == 1
    assert await number_of(database, values["slug"]) == made.campaign_id
    alone = await make_campaign(database)
    with pytest.raises(EntityNotFound):
        await number_of(database, str(alone))
    assert await reconcile(database, database) == 1
    assert await number_of(database, str(alone)) == alone
    assert await reconcile(database, database) == 0


async def test_a_campaign_is_not_restored_while_another_has_its_slug(
    registry: ServiceRegistry, database: Database
) -> None:
    first, campaigns = await create(registry, values := named()), registry.service(Campaigns)
    with acting(ON_PLATFORM), in_campaign(first.campaign_id):
        await campaigns.delete(first.id)
    second = await create(registry, values)
    with acting(ON_PLATFORM), in_campaign(first.campaign_id):
        with pytest.raises(KeyTaken):
            await campaigns.restore(first.id)
        with pytest.raises(EntityNotFound):
            await campaigns.get(first.id)
        await campaigns.repository.restore(first.id)  # as a version without a directory would
    assert await reconcile(database, database) == 1
    assert await number_of(database, values["slug"]) == second.campaign_id
    with acting(ON_PLATFORM), in_campaign(first.campaign_id):
        await campaigns.repository.delete(first.id)


async def test_all_campaigns_are_compared_in_pages(
    registry: ServiceRegistry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_PAGE", 2)
    alone = [await make_campaign(database) for _ in range(5)]
    assert await reconcile(database, database) == 5
    assert [await number_of(database, str(number)) for number in alone] == alone


async def test_campaigns_and_their_keys_of_the_version_before_are_in_the_directory(empty_url: str) -> None:
    await migrate_until_writable(empty_url)
    async with pools(empty_url) as database:
        await partitions.ensure(database, 0)
        campaigns = ServiceRegistry(database).service(Campaigns)
        with acting(ON_PLATFORM):
            values = [named(), named(), named()]
            made = [
                await campaigns.repository.create(each, key=f"k{number}", number=number)
                for number, each in enumerate(values, start=1)
            ]
        async with admin(empty_url) as connection:
            await connection.execute("UPDATE idempotency SET campaign_id = 0")  # as that version kept them
            await connection.execute("UPDATE service_campaign_main SET deleted_at = now() WHERE campaign_id = 3")
            await connection.execute("SELECT setval('campaign_number', 3)")
        await migrations.upgrade(empty_url)
        for number, each in enumerate(values[:2], start=1):
            assert await number_of(database, each["slug"]) == number
            with acting(ON_PLATFORM):
                assert await campaigns.create(each, key=f"k{number}") == made[number - 1]
        with pytest.raises(EntityNotFound):
            await number_of(database, values[2]["slug"])
        with acting(ON_PLATFORM):
            assert (await campaigns.create(values[2])).campaign_id == 4
        async with admin(empty_url) as connection:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await connection.execute("UPDATE idempotency SET campaign_id = 2 WHERE campaign_id = 1")


async def test_an_import_of_campaigns_knows_those_that_it_created_before(registry: ServiceRegistry) -> None:
    campaigns, keys = registry.service(Campaigns), [f"i{uuid.uuid4().hex}" for _ in range(3)]
    with acting(ON_PLATFORM):
        made = [await campaigns.create(named(), key=key) for key in keys]
        assert await campaigns.ids_by_key([*keys, "unknown", None]) == {
            key: campaign.id for key, campaign in zip(keys, made, strict=True)
        }
