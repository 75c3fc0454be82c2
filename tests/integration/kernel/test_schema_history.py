"""History gives exactly the declared schema, once, whoever applies it, and a step that fails leaves nothing behind."""

import asyncpg
import postgast
import pytest
from sqlalchemy.dialects import postgresql

import ovasabi
from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.declare.entity import declared
from ovasabi.lifecycle import migrations
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.lifecycle.revisions import DatabaseAhead
from tests.integration.kernel.fixtures import admin, schema_of


async def test_history_gives_exactly_the_declared_schema(database_url: str) -> None:
    assert await migrations.differences(database_url) == []


async def test_every_declared_constraint_and_index_is_in_the_database(database_url: str) -> None:
    found = await schema_of(database_url)
    there = {(row[1], row[2]) for row in found if row[0] in ("constraint", "index")}
    for of in declared.values():
        table = metadata_of().tables[of.table_name]
        wanted = {(table.name, str(item.name)) for item in (*table.constraints, *table.indexes)}
        assert len(wanted) > 3
        assert wanted <= there, f"{table.name}: {wanted - there}"


async def test_every_generated_column_is_generated_as_declared(database_url: str) -> None:
    query = """SELECT pg_get_expr(adbin, adrelid)
               FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
               WHERE adrelid = $1::regclass AND attname = $2"""
    checked = 0
    async with admin(database_url) as connection:
        for of in declared.values():
            for column in metadata_of().tables[of.table_name].columns:
                if column.computed is None:
                    continue
                wanted = f"{column.name} {column.type.compile(postgresql.dialect())}"
                await connection.execute(f"CREATE TEMP TABLE fresh (LIKE {of.table_name})")
                await connection.execute(f"ALTER TABLE fresh DROP COLUMN {column.name}")
                await connection.execute(
                    f"ALTER TABLE fresh ADD COLUMN {wanted} GENERATED ALWAYS AS ({column.computed.sqltext}) STORED"
                )
                there = await connection.fetchval(query, of.table_name, column.name)
                assert there == await connection.fetchval(query, "fresh", column.name), (of.name, column.name)
                await connection.execute("DROP TABLE fresh")
                checked += 1
    assert checked >= 5


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE service_content_main DROP COLUMN media_urls",
        "ALTER TABLE service_content_main ADD COLUMN extra text",
        "ALTER TABLE service_content_main ALTER COLUMN slug TYPE varchar(121)",
        "ALTER TABLE service_content_main ALTER COLUMN body DROP NOT NULL",
        "ALTER TABLE service_content_main ALTER COLUMN body SET DEFAULT 'x'",
        "DROP INDEX service_content_main_state_idx",
        "ALTER TABLE service_content_main DROP CONSTRAINT service_content_main_author_id_fkey",
    ],
)
async def test_a_schema_that_drifted_is_noticed(migrated_url: str, change: str) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute(change)
    assert await migrations.differences(migrated_url) != []


async def test_to_upgrade_again_changes_nothing_and_says_nothing(empty_url: str) -> None:
    said: list[str] = []
    await migrations.upgrade(empty_url, said.append)
    assert len(said) == 1
    done = await schema_of(empty_url)
    assert len(done) > 500
    await migrations.upgrade(empty_url, said.append)
    assert len(said) == 1
    assert await schema_of(empty_url) == done
    assert await migrations.current_revisions(empty_url) == migrations.heads()
    assert await migrations.plan(empty_url) == ""


async def test_a_plan_on_an_empty_database_is_sql_that_gives_the_same_schema_and_touches_nothing(
    empty_url: str, database_url: str
) -> None:
    before = await schema_of(empty_url)
    text = await migrations.plan(empty_url)
    assert "CREATE TABLE master (" in text
    assert await schema_of(empty_url) == before
    assert await migrations.current_revisions(empty_url) == ()
    await ensure_roles(empty_url)
    async with admin(empty_url) as connection:
        for statement in postgast.split(text):
            await connection.execute(statement)
    planned = await schema_of(empty_url)
    assert await migrations.current_revisions(empty_url) == migrations.heads()
    await _recreate(empty_url)
    await migrations.upgrade(empty_url)
    assert planned == await schema_of(empty_url)


async def _recreate(url: str) -> None:
    async with admin(url) as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        await connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")


async def test_a_login_that_may_not_make_roles_is_told_what_to_do(empty_url: str) -> None:
    async with admin(empty_url) as connection:
        await connection.execute("DROP ROLE IF EXISTS plain_login")
        await connection.execute("CREATE ROLE plain_login LOGIN")
    try:
        plain = empty_url.replace("postgres@", "plain_login@")
        with pytest.raises((ovasabi.errors.OvasabiError, asyncpg.PostgresError)) as caught:
            await migrations.upgrade(plain)
        assert getattr(caught.value, "code", "") == "start_failed", caught.value
    finally:
        async with admin(empty_url) as connection:
            await connection.execute("DROP ROLE plain_login")


async def test_a_database_that_is_ahead_of_the_program_is_left_alone(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        for attempt in (migrations.upgrade(migrated_url), migrations.plan(migrated_url)):
            with pytest.raises(DatabaseAhead, match="9999"):
                await attempt
    finally:
        await connection.close()
