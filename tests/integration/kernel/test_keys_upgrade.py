"""A database of the version before gets keys that begin with the campaign: with its data, while it is written to."""

import asyncio
import uuid

import postgast
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.call.errors import ReferenceMissing
from ovasabi.kernel.store.repository import Repository
from ovasabi.lifecycle import migrations, partitions
from ovasabi.services.content.entity import Comment
from ovasabi.system.user.entity import User
from tests.integration.kernel.fixtures import (
    admin,
    contents,
    library,
    make_campaign,
    migrate_until_writable,
    pools,
    within,
)
from tests.integration.kernel.test_keys import unique_without_campaign, wrong_references


@pytest.fixture
async def before(empty_url: str) -> str:
    """A database at the migration before, with the months of now."""
    await migrate_until_writable(empty_url)
    async with pools(empty_url) as database:
        await partitions.ensure(database, 0)
    return empty_url


async def author(database: Database) -> int:
    """The id of a new user."""
    name = f"u{uuid.uuid4().hex[:12]}"
    with within(PLATFORM):
        values = {"username": name, "email": f"{name}@example.org", "password": "Correct-Horse-7"}
        return (await Repository(database, User).create(values)).id


async def test_rows_references_and_keys_of_the_version_before_are_kept(before: str) -> None:
    async with pools(before) as database:
        pooled, dedicated = await make_campaign(database), await make_campaign(database)
        await partitions.dedicate(database, dedicated, 0)
        writer, made = await author(database), {}
        for campaign in (pooled, dedicated):
            await library(database, campaign)
            with within(campaign):
                written = await contents(database).create({"title": "t", "slug": "s", "author_id": writer}, key="k")
                await Repository(database, Comment).create({"content_id": written.id, "body": "b", "author_id": writer})
                made[campaign] = written
        await migrations.upgrade(before)
        assert await migrations.differences(before) == []
        assert await unique_without_campaign(before) == set()
        assert await wrong_references(before) == []
        for campaign, written in made.items():
            with within(campaign):
                repository = contents(database)
                assert (await repository.get(written.id)).author_id == writer
                again = {"title": "t", "slug": "s", "author_id": writer}
                assert await repository.create(again, key="k") == written
                with pytest.raises(ReferenceMissing):
                    await repository.create({"title": "t", "author_id": written.id})
                with pytest.raises(ReferenceMissing):
                    await repository.create({"title": "t", "parent_id": writer})


async def test_writes_go_on_while_the_keys_change(before: str) -> None:
    done = asyncio.Event()
    async with pools(before) as database:
        campaign, writer = await make_campaign(database), await author(database)

        async def write(number: int) -> int:
            count = 0
            while not done.is_set():
                with within(campaign):
                    made = await contents(database).create({"title": f"{number} {count}", "author_id": writer})
                    await contents(database).update(made.id, {"body": "changed"})
                count += 1
            return count

        writers = [asyncio.create_task(write(number)) for number in range(4)]
        await migrations.upgrade_tables(before)
        done.set()
        written = await asyncio.gather(*writers)
        assert min(written) > 0
        async with admin(before) as connection:
            rows = "SELECT count(*) FROM service_content_main AS s JOIN master AS m ON m.id = s.master_id"
            assert await connection.fetchval(f"{rows} WHERE m.version = 2 AND s.body = 'changed'") == sum(written)
    assert await wrong_references(before) == []


INTERRUPTED = [
    "SELECT to_regclass('master_by_uuid') IS NOT NULL",
    "SELECT cardinality(conkey) = 2 FROM pg_constraint WHERE conname = 'master_pkey'",
    "SELECT count(*) > 3 FROM pg_constraint JOIN pg_index ON indexrelid = conindid AND indisprimary WHERE contype = 'f'"
    " AND confrelid = 'master'::regclass",
]
"""How far a migration got, as conditions on the catalog."""


@pytest.mark.parametrize("until", INTERRUPTED)
async def test_an_interrupted_migration_is_continued(before: str, until: str) -> None:
    async with admin(before) as connection:
        for statement in postgast.split(await migrations.plan(before)):
            await connection.execute(statement)
            if await connection.fetchval(until):
                break
        assert await connection.fetchval(until)
    await migrations.upgrade(before)
    assert await migrations.differences(before) == []
    assert await wrong_references(before) == []


async def test_a_reference_that_is_not_to_the_platform_stops_the_migration(before: str) -> None:
    async with pools(before) as database:
        campaign = await make_campaign(database)
        with within(campaign):
            made = await contents(database).create({"title": "t"})
    async with admin(before) as connection:
        await connection.execute("UPDATE service_content_main SET author_id = $1", made.id)
    with pytest.raises(migrations.MigrationFailed, match="1 rows of service_content_main refer in author_id to"):
        await migrations.upgrade(before)
