"""Functions and policies are what the tree says, in a new database and in one that an earlier version made."""

import asyncio
import re
from datetime import date
from pathlib import Path

import asyncpg
import pytest

from ovasabi import runtime
from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.roles import ensure_roles
from ovasabi.errors import StartError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.store.repository import Repository
from ovasabi.lifecycle import migrations, partitions, sql_objects
from ovasabi.security.keys import Keyring, create_key
from ovasabi.services.content.entity import Comment
from ovasabi.settings import Settings
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Operation
from tests.conftest import fresh
from tests.integration.kernel.fixtures import CAMPAIGN_TABLES, admin, contents, make_campaign, pools, schema_of, within
from tests.integration.kernel.test_migration_steps import Copy

UP = "await m.upgrade(url, print)"
PLAN = "print(await m.plan(url))"
ARTICLE = {"title": "decimal numbers", "slug": "a", "tags": ["x"]}
REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
FUNCTIONS = """
SELECT DISTINCT proname FROM pg_proc AS p WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
  AND proname !~ '_(lookup|rows|named|sample|newest)$'
UNION ALL SELECT typname FROM pg_type AS t JOIN pg_class AS c ON c.oid = typrelid
WHERE c.relkind = 'c' AND typnamespace = 'public'::regnamespace"""
MADE = re.compile(r"^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|TYPE) (\w+)", re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of the program, with objects of its own."""
    return Copy(tmp_path)


def edit(copy: Copy, name: str, old: str, new: str) -> None:
    """Changes an object of a copy."""
    file = copy.folder / "sql" / f"{name}.sql"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


async def columns_of(url: str) -> dict[str, str]:
    """The columns of each table, but for the list of types, which grows with the services that are added."""
    columns = """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                 WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"""
    async with admin(url) as connection:
        tables = [row["name"] for row in await connection.fetch(CAMPAIGN_TABLES)] + ["api_key"]
        return {table: await connection.fetchval(columns, table) for table in tables}


async def contents_of(url: str, columns: dict[str, str] | None = None) -> dict[str, str]:
    """A digest of each table's rows, in these columns or in all."""
    digest = """SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '')
                FROM (SELECT {} FROM {}) AS t"""
    columns = columns or await columns_of(url)
    async with admin(url) as connection:
        return {table: await connection.fetchval(digest.format(names, table)) for table, names in columns.items()}


async def rows_of(url: str, table: str) -> set[str]:
    """The rows of a small table, as text."""
    async with admin(url) as connection:
        return {row["text"] for row in await connection.fetch(f"SELECT t::text AS text FROM {table} AS t")}


async def source_of(url: str, function: str) -> str:
    """The body of a function."""
    async with admin(url) as connection:
        return str(await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = $1", function))


async def used(url: str) -> tuple[int, int, str]:
    """A pooled and a dedicated campaign with something of everything, and a key; answers the numbers and the key."""
    async with pools(url) as database:
        await partitions.ensure(database, 0)
        pooled, dedicated = await make_campaign(database), await make_campaign(database)
        await partitions.dedicate(database, dedicated, 0)
        for campaign in (pooled, dedicated):
            with within(campaign):
                article = await contents(database).create(ARTICLE, key="1")
                await Repository(database, Comment).create({"content_id": article.id, "body": "exactly"})
                gone = await contents(database).create({"title": "gone", "slug": "b"})
                await contents(database).delete(gone.id)
                operation = await Repository(database, Operation).create(
                    {"kind": "contents_export", "request_digest": ""}
                )
                await work.add(database, operation.id, "nobody", None, "{}")
                await work.step(database, operation.id, 1, None, "null", "null", ["piece"])
        return pooled, dedicated, await create_key(database.url, "of old", Role.ADMIN)


async def used_before(url: str) -> tuple[int, int, str]:
    """What `used` makes, as the program of version 0007 wrote it; to tables of that version."""
    await months_of_old(url)
    async with admin(url) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(Path(__file__).with_name("version_0007.sql").read_text())
    return 1, 2, "ovk_sg37xakv9xh4_hA5geDFCoazNJD068fq5_Fv7DANoI9vzWmRo4CfGc0Q"


async def months_of_old(url: str) -> None:
    """The partitions of campaign 2, and those of the month in which that version wrote."""
    async with pools(url) as database:
        await partitions.dedicate(database, 2, 0)
        await partitions.apply(database, await partitions.plan(database, 0, date(2026, 11, 1)))


async def works(database: Database, campaign: int) -> None:
    """Reads, searches and writes in a campaign of before."""
    with within(campaign):
        before = await read_events(database, limit=1000)
        (found,) = (await search(database, "decimal")).hits
        article = await contents(database).get(found.id)
        assert (article.title, article.tags) == ("decimal numbers", ["x"])
        assert (await contents(database).create(ARTICLE, key="1")).id == article.id
        await contents(database).update(article.id, {"title": "binary numbers"})
        assert [hit.id for hit in (await search(database, "binary")).hits] == [article.id]
        made = await contents(database).create({"title": "written", "slug": "b"})
        assert [hit.id for hit in (await search(database, "wirtten")).hits] == [made.id]
        assert len(await read_events(database, limit=1000)) == len(before) + 2


async def test_a_database_of_the_version_before_with_data_in_it_becomes_the_same_as_a_new_one(
    server: EmbeddedServer, empty_url: str
) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, "0007")
    *campaigns, key = await used_before(empty_url)
    async with admin(empty_url) as connection:
        assert await connection.fetchval("SELECT to_regclass('sql_object')") is None
    columns = await columns_of(empty_url)
    before = await contents_of(empty_url)
    filled = {table for table, digest in before.items() if not digest.startswith("0 ")}
    assert {"service_content_main", "service_content_comment", "service_event", "master_key", "api_key"} <= filled
    assert {"idempotency", "lease", "operation_work", "operation_output", "service_operation_main"} - filled == {
        "lease"
    }
    types = await rows_of(empty_url, "entity_type")
    await migrations.upgrade(empty_url)
    async with pools(empty_url) as database:
        await partitions.complete(database, 0)
    assert await contents_of(empty_url, columns) == before
    assert types <= await rows_of(empty_url, "entity_type")
    async with fresh(server) as new_url:
        await migrations.upgrade(new_url)
        assert await used(new_url) != ()
        await months_of_old(new_url)
        assert await schema_of(empty_url) == await schema_of(new_url)
    async with pools(empty_url) as database:
        for campaign in campaigns:
            await works(database, campaign)
        assert (await Keyring(database).principal(key)).role is Role.ADMIN


async def test_a_database_at_any_revision_becomes_the_same_as_a_new_one(
    server: EmbeddedServer, database_url: str
) -> None:
    async with fresh(server) as new_url:
        await migrations.upgrade(new_url)
        new = await schema_of(new_url)
    for revision in REVISIONS:
        async with fresh(server) as url:
            await ensure_roles(url)
            await migrations.upgrade_tables(url, revision)
            assert await migrations.current_revisions(url) == (revision,)
            await migrations.upgrade(url)
            assert await schema_of(url) == new, revision
    assert await migrations.differences(database_url) == []


async def test_every_function_and_type_of_a_database_is_one_of_the_tree(database_url: str) -> None:
    async with admin(database_url) as connection:
        there = {row[0] for row in await connection.fetch(FUNCTIONS)}
        extension = await connection.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
    made = {name for each in sql_objects.objects() for name in MADE.findall(each.text)}
    assert there == made - ({"trigrams", "similarity"} if extension else set())


async def test_all_objects_can_be_applied_again_and_nothing_is_other_than_before(migrated_url: str) -> None:
    await used(migrated_url)
    schema, rows = await schema_of(migrated_url), await contents_of(migrated_url)
    async with admin(migrated_url) as connection:
        await connection.execute("UPDATE sql_object SET hash = 'of old'")
    assert len(await sql_objects.outdated(migrated_url)) == len(sql_objects.objects())
    await migrations.upgrade(migrated_url)
    assert (await schema_of(migrated_url), await contents_of(migrated_url)) == (schema, rows)
    assert await sql_objects.outdated(migrated_url) == []


async def test_a_constant_is_changed_by_one_edit_which_is_planned_then_applied_and_nothing_else(
    migrated_url: str, copy: Copy
) -> None:
    async with admin(migrated_url) as connection:
        applied = dict(await connection.fetch("SELECT name, applied_at FROM sql_object"))
    edit(copy, "search/search_entities", "sample CONSTANT int := 100", "sample CONSTANT int := 101")
    succeeded, plan = await copy.run(migrated_url, PLAN)
    assert succeeded, plan
    assert re.findall(r"^-- (sql/\S+) is (.+)\.$", plan, re.MULTILINE) == [
        ("sql/search/search_entities.sql", "replaced")
    ]
    assert "101" not in await source_of(migrated_url, "search_entities")
    assert (await copy.run(migrated_url, UP))[1] == ("updating the functions and policies of the database (1 changed)")
    assert "sample CONSTANT int := 101" in await source_of(migrated_url, "search_entities")
    async with admin(migrated_url) as connection:
        now = dict(await connection.fetch("SELECT name, applied_at FROM sql_object"))
    assert {name for name in now if now[name] != applied.get(name)} == {"search/search_entities"}
    assert await copy.run(migrated_url, UP) == (True, "")


async def test_the_functions_of_every_branch_follow_the_procedure_that_makes_them(
    migrated_url: str, copy: Copy
) -> None:
    _, dedicated, _ = await used(migrated_url)
    edit(copy, "search/let_search_text", "'campaign_id + 0 = p_campaign'", "'campaign_id + 1 = p_campaign + 1'")
    assert (await copy.run(migrated_url, UP))[0]
    for branch in ("pool", f"c{dedicated}"):
        assert "campaign_id + 1 = p_campaign + 1" in await source_of(
            migrated_url, f"service_content_main_{branch}_lookup"
        )


async def test_a_policy_that_changes_changes_on_every_table(migrated_url: str, copy: Copy) -> None:
    before = [row for row in await schema_of(migrated_url) if row[0] == "policy" and row[2] == "campaign_scope"]
    edit(copy, "access/scope_table", "campaign_scope ON %1$s TO ovasabi_app USING (%2$s)",
         "campaign_scope ON %1$s TO ovasabi_app USING ((%2$s) AND 1 = 1)")  # fmt: skip
    assert (await copy.run(migrated_url, UP))[0]
    after = [row for row in await schema_of(migrated_url) if row[0] == "policy" and row[2] == "campaign_scope"]
    assert len(after) == len(before) > 10
    assert [row for row in after if "1 = 1" not in row[4]] == []


async def test_functions_and_policies_are_replaced_under_those_who_read_and_write(migrated_url: str) -> None:
    done, made = asyncio.Event(), [0] * 6
    async with pools(migrated_url) as database:
        await partitions.ensure(database, 0)
        campaign = await make_campaign(database)

        async def work_on(number: int) -> None:
            with within(campaign):
                while not done.is_set():
                    article = await contents(database).create({"title": "t"}, key=f"{number}-{made[number]}")
                    await contents(database).update(article.id, {"title": "u"})
                    assert (await contents(database).get(article.id)).title == "u"
                    made[number] += 1

        async with asyncio.TaskGroup() as workers:
            for number in range(6):
                workers.create_task(work_on(number))
            for _ in range(3):
                async with admin(migrated_url) as connection:
                    await connection.execute("UPDATE sql_object SET hash = 'of old'")
                await migrations.upgrade(migrated_url)
            done.set()
    assert min(made) > 0
    assert await sql_objects.outdated(migrated_url) == []


@pytest.mark.parametrize("fault", ["SELECT 1 / 0;", "CREATE OR REPLACE FUNCTION loosened(int) RETURNS nothing"])
async def test_an_object_that_fails_leaves_everything_as_it_was_and_is_named(
    migrated_url: str, copy: Copy, fault: str
) -> None:
    done = await schema_of(migrated_url)
    edit(copy, "locks/require_lease", "is no longer held", "is not held any more")
    (copy.folder / "sql/search/loosened.sql").write_text(f"-- Wrong.\n{fault}")
    succeeded, said = await copy.run(migrated_url)
    assert not succeeded
    assert said.startswith("migration_failed: The migration failed: sql/search/loosened.sql: ")
    assert await schema_of(migrated_url) == done
    assert await sql_objects.outdated(migrated_url) == []


async def test_a_table_in_use_stops_a_change_of_its_policy_with_one_clear_error(migrated_url: str, copy: Copy) -> None:
    done = await schema_of(migrated_url)
    file = copy.folder / "src/ovasabi/lifecycle/migrations.py"
    file.write_text(file.read_text().replace('LOCK_TIMEOUT = "5s"', 'LOCK_TIMEOUT = "300ms"'))
    edit(copy, "policies/lease", "-- Leases are never", "-- A lease is never")
    async with admin(migrated_url) as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM lease")
            succeeded, said = await copy.run(migrated_url)
        assert not succeeded
        assert said.endswith("sql/policies/lease.sql: canceling statement due to lock timeout.")
        assert await schema_of(migrated_url) == done
        assert await copy.run(migrated_url) == (True, "")


async def test_an_object_that_the_tree_lost_is_dropped_only_where_that_is_said(empty_url: str, copy: Copy) -> None:
    made = "-- Of a test.\nCREATE OR REPLACE FUNCTION extra() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;\n"
    extra = copy.folder / "sql/search/extra.sql"
    extra.write_text(made)
    assert (await copy.run(empty_url))[0]
    assert "SELECT 1" in await source_of(empty_url, "extra")
    extra.unlink()
    succeeded, said = await copy.run(empty_url)
    assert not succeeded
    assert said.startswith("object_unknown: The database has the object search/extra")
    progress: list[str] = []
    with pytest.raises(sql_objects.ObjectUnknown):
        await migrations.upgrade(empty_url, progress.append)
    assert progress == []  # refused before anything is begun
    assert "SELECT 1" in await source_of(empty_url, "extra")
    with (copy.folder / "sql/dropped.sql").open("a") as file:
        file.write("\n-- drops: search/extra\nDROP FUNCTION IF EXISTS extra();\n")
    assert await copy.run(empty_url) == (True, "")
    async with admin(empty_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_proc WHERE proname = 'extra'") == 0
        assert await connection.fetchval("SELECT count(*) FROM sql_object WHERE name = 'search/extra'") == 0


async def test_a_database_whose_objects_are_out_of_date_is_not_served_and_the_status_says_which(
    empty_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(StartError, match="not up to date"):
        await runtime.check(empty_url, settings)
    await migrations.upgrade(empty_url)
    await runtime.check(empty_url, settings)
    assert (await runtime.status(empty_url, settings))["objects_outdated"] == []
    async with admin(empty_url) as connection:
        await connection.execute("UPDATE sql_object SET hash = 'of old' WHERE name = 'locks/require_lease'")
    with pytest.raises(StartError, match="functions and policies of the database are those of another version"):
        await runtime.check(empty_url, settings)
    report = await runtime.status(empty_url, settings)
    assert report["objects_outdated"] == ["locks/require_lease"]
    assert report["migration_current"] == report["migration_head"]
    await migrations.upgrade(empty_url)
    await runtime.check(empty_url, settings)


async def test_whether_a_database_is_current_may_be_asked_by_the_application_alone(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET ROLE ovasabi_app")
        state = await sql_objects.state_of(connection)
    finally:
        await connection.close()
    assert (state.revisions, state.outdated()) == (migrations.heads(), [])
    assert len(state.facts) > 200
