"""A natural key is held once in its campaign, although the table is in many parts."""

import uuid

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import acting, on_platform, system_context
from ovasabi.kernel.call.errors import KeyTaken
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.store.rows import Change
from ovasabi.services.content.entity import Content, Reaction, ReactionKind
from ovasabi.system.user.entity import User
from tests.integration.kernel.fixtures import (
    admin,
    backdated,
    contents,
    kinds,
    make_campaign,
    month_before,
    open_month,
    together,
    within,
)


async def test_a_key_of_last_month_is_taken_this_month_too(
    database: Database, database_url: str, campaign: int
) -> None:
    month = month_before()
    await open_month(database, month)
    with within(campaign):
        old = await backdated(database, month).create({"title": "old", "slug": "same"})
        assert (old.created_at.year, old.created_at.month) == (month.year, month.month)
        assert (await contents(database).get(old.id)).slug == "same"
        with pytest.raises(KeyTaken) as caught:
            await contents(database).create({"title": "new", "slug": "same"})
        assert caught.value.field == "slug"
        new = await contents(database).create({"title": "new", "slug": "other"})
    async with admin(database_url) as connection:
        rows = await connection.fetch(
            "SELECT tableoid::regclass::text AS leaf FROM service_content_main WHERE master_id = ANY ($1)",
            [old.id, new.id],
        )
    assert len({row["leaf"] for row in rows}) == 2
    assert f"service_content_main_pool_{month:%Y%m}" in {row["leaf"] for row in rows}


async def test_of_concurrent_creates_with_one_key_in_two_months_one_wins(database: Database, campaign: int) -> None:
    month = month_before()
    await open_month(database, month)
    old, new = backdated(database, month), contents(database)
    with within(campaign):
        for slug in ("race-one", "race-two", "race-three"):
            answers = await together(30, lambda n, slug=slug: (old, new)[n % 2].create({"title": f"{n}", "slug": slug}))
            assert kinds(answers) == {"Content": 1, "KeyTaken": 29}


async def test_a_key_of_another_campaign_is_free(database: Database, campaign: int) -> None:
    for number in (campaign, await make_campaign(database)):
        with within(number):
            assert (await contents(database).create({"title": "t", "slug": "common"})).slug == "common"


async def test_an_entity_without_the_key_does_not_stand_in_the_way(database: Database, campaign: int) -> None:
    with within(campaign):
        for _ in range(3):
            assert (await contents(database).create({"title": "no slug"})).slug is None


async def test_a_key_is_free_after_a_delete_and_its_restore_then_conflicts(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        first = await repository.create({"title": "first", "slug": "again"})
        await repository.delete(first.id)
        second = await repository.create({"title": "second", "slug": "again"})
        with pytest.raises(KeyTaken):
            await repository.restore(first.id)
        await repository.delete(second.id)
        assert (await repository.restore(first.id)).slug == "again"
        with pytest.raises(KeyTaken):
            await repository.restore(second.id)


async def test_of_concurrent_restores_to_one_key_one_wins(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        deleted = []
        for number in range(6):
            deleted.append(await repository.create({"title": f"{number}", "slug": "lone"}))
            await repository.delete(deleted[-1].id)
        answers = await together(6, lambda n: repository.restore(deleted[n].id))
    assert kinds(answers) == {"Content": 1, "KeyTaken": 5}


async def test_an_update_moves_the_key(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        one = await repository.create({"title": "one", "slug": "one"})
        two = await repository.create({"title": "two", "slug": "two"})
        with pytest.raises(KeyTaken):
            await repository.update(one.id, {"slug": "two"})
        assert (await repository.update(one.id, {"slug": "one"})).version == 2
        await repository.update(one.id, {"slug": "moved"})
        assert (await repository.update(two.id, {"slug": "one"})).slug == "one"
        await repository.update(one.id, {"slug": None})
        assert (await repository.create({"title": "three", "slug": "moved"})).slug == "moved"


async def test_of_concurrent_updates_to_one_key_one_wins(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = [await repository.create({"title": f"{n}"}) for n in range(8)]
        answers = await together(8, lambda n: repository.update(made[n].id, {"slug": "prize"}))
        assert kinds(answers) == {"Content": 1, "KeyTaken": 7}
        batch = await repository.update_many([Change(one.id, {"slug": "batch-prize"}) for one in made])
    assert sorted(kinds(batch).items()) == [("Content", 1), ("KeyTaken", 7)]


async def test_a_swap_of_keys_in_one_batch_is_done_or_refused_whole(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        one = await repository.create({"title": "one", "slug": "left"})
        two = await repository.create({"title": "two", "slug": "right"})
        await repository.update_many([Change(one.id, {"slug": "right"}), Change(two.id, {"slug": "left"})])
        slugs = {(await repository.get(of.id)).slug for of in (one, two)}
    assert slugs == {"left", "right"}


async def test_a_key_that_folds_case_is_one_in_any_case(database: Database) -> None:
    name, users = f"Anna{uuid.uuid4().hex[:8]}", Repository(database, User)
    with acting(system_context("test")), on_platform("users are global"):
        await users.create({"username": name, "email": f"{name}@example.org"})
        for username, email in ((name.upper(), "x@example.org"), (f"x{name}", f"{name.upper()}@EXAMPLE.org")):
            with pytest.raises(KeyTaken):
                await users.create({"username": username, "email": email})


async def test_a_key_of_several_fields_is_taken_only_as_a_whole(database: Database, campaign: int) -> None:
    name, reactions = f"u{uuid.uuid4().hex[:8]}", Repository(database, Reaction)
    with acting(system_context("test")), on_platform("users are global"):
        user = await Repository(database, User).create({"username": name, "email": f"{name}@example.org"})
    with within(campaign):
        one, two = [await contents(database).create({"title": f"{n}"}) for n in range(2)]

        async def react(content: Content, kind: ReactionKind) -> Reaction:
            return await reactions.create({"content_id": content.id, "user_id": user.id, "kind": kind})

        for content, kind in ((one, ReactionKind.LIKE), (one, ReactionKind.LOVE), (two, ReactionKind.LIKE)):
            assert (await react(content, kind)).kind == kind
        with pytest.raises(KeyTaken):
            await react(one, ReactionKind.LIKE)
        answers = await together(10, lambda _: react(two, ReactionKind.SAD))
    assert kinds(answers) == {"Reaction": 1, "KeyTaken": 9}


async def test_a_long_key_is_told_from_one_that_differs_at_its_end(database: Database, campaign: int) -> None:
    long = "a" * 119
    with within(campaign):
        for slug in (f"{long}a", f"{long}b"):
            await contents(database).create({"title": "long", "slug": slug})
            with pytest.raises(KeyTaken):
                await contents(database).create({"title": "long", "slug": slug})
