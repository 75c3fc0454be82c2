"""What is dropped, revoked, replaced or opened by hand is noticed, named, and restored by the next migration."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.errors import StartError
from ovasabi.lifecycle import migrations, sql_objects
from ovasabi.settings import Settings
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, schema_of
from tests.integration.kernel.test_sql_objects import contents_of, used

CHANGES = {
    "DROP FUNCTION uuid_id(uuid)": ["function uuid_id(uuid) is missing (sql/ids/uuid_id.sql)"],
    "DROP PROCEDURE search_soon(regclass)": [
        "procedure search_soon(regclass) is missing (sql/partitions/search_soon.sql)"
    ],
    "DROP TYPE search_hit CASCADE": ["type search_hit is missing (sql/search/search_hit.sql)", "search_entities"],
    "CREATE OR REPLACE FUNCTION next_id() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'": [
        "function next_id() was changed (sql/ids/next_id.sql)"
    ],
    "ALTER FUNCTION require_scope(int) SECURITY DEFINER": [
        "function require_scope(integer) was changed (sql/scope/require_scope.sql)"
    ],
    "ALTER FUNCTION entity_exists(int, bigint, text) OWNER TO postgres": [
        "owner of function entity_exists(integer,bigint,text) is postgres, not ovasabi_search"
    ],
    "ALTER TABLE lease OWNER TO postgres": ["owner of table lease is postgres, not ovasabi_owner"],
    "REVOKE EXECUTE ON FUNCTION words_of(text[]) FROM PUBLIC": [
        "grants on function words_of(text[]): PUBLIC lacks EXECUTE (sql/search/words_of.sql)"
    ],
    "REVOKE EXECUTE ON FUNCTION create_month(text, date) FROM ovasabi_app": [
        "grants on function create_month(text,date): ovasabi_app lacks EXECUTE (sql/partitions/create_month.sql)"
    ],
    "GRANT EXECUTE ON FUNCTION search_names(int, text[], text, text, int) TO PUBLIC": [
        "grants on function search_names(integer,text[],text,text,integer): PUBLIC has EXECUTE"
    ],
    "REVOKE INSERT ON service_content_main FROM ovasabi_app": [
        "grants on table service_content_main: ovasabi_app lacks INSERT (sql/policies/entities.sql)"
    ],
    "GRANT DELETE ON service_quotes_main TO ovasabi_app": [
        "grants on table service_quotes_main: ovasabi_app has DELETE (sql/policies/entities.sql)"
    ],
    "GRANT UPDATE (revoked_at) ON api_key TO ovasabi_app": [
        "grants on table api_key: ovasabi_app has UPDATE (revoked_at) (sql/policies/api_key.sql)"
    ],
    "REVOKE USAGE ON SEQUENCE id_sequence FROM ovasabi_app": [
        "grants on sequence id_sequence: ovasabi_app lacks USAGE (sql/policies/schema.sql)"
    ],
    "REVOKE SELECT ON sql_object, alembic_version FROM ovasabi_app": [
        "grants on table sql_object: ovasabi_app lacks SELECT (sql/policies/schema.sql)",
        "grants on table alembic_version: ovasabi_app lacks SELECT (sql/policies/schema.sql)",
    ],
    "DROP POLICY campaign_scope ON lease": ["policy campaign_scope on table lease is missing (sql/policies/lease.sql)"],
    "ALTER POLICY campaign_scope ON service_product_main USING (true)": [
        "policy campaign_scope on table service_product_main was changed (sql/policies/entities.sql)"
    ],
    "CREATE POLICY open ON master TO ovasabi_app USING (true)": [
        "row-level security of table master has an unknown policy open (sql/policies/master.sql)"
    ],
    "ALTER TABLE idempotency DISABLE ROW LEVEL SECURITY": [
        "row-level security of table idempotency is not enabled (sql/policies/idempotency.sql)"
    ],
    "ALTER TABLE service_user_master NO FORCE ROW LEVEL SECURITY": [
        "row-level security of table service_user_master is not forced (sql/policies/entities.sql)"
    ],
    "DROP TRIGGER service_event_no_truncate ON service_event": [
        "trigger service_event_no_truncate on table service_event is missing (sql/events/append_only.sql)"
    ],
    "ALTER TABLE service_event DISABLE TRIGGER service_event_append_only": [
        "trigger service_event_append_only on table service_event was changed (sql/events/append_only.sql)"
    ],
    "DROP FUNCTION service_content_main_pool_lookup": [
        "the search functions of service_content_main_pool were changed (sql/search/let_search_text.sql)"
    ],
    "ALTER FUNCTION service_content_main_{branch}_sample SECURITY DEFINER": [
        "the search functions of service_content_main_{branch} were changed (sql/search/let_search_text.sql)"
    ],
    "REVOKE SELECT ON service_content_main_{branch} FROM ovasabi_search": [
        "partition service_content_main_{branch}: ovasabi_search lacks SELECT (sql/policies/partitions.sql)"
    ],
    "GRANT SELECT ON service_quotes_main_pool TO ovasabi_app": [
        "partition service_quotes_main_pool: ovasabi_app has SELECT (sql/policies/partitions.sql)"
    ],
    "GRANT UPDATE (state) ON service_product_main_{branch}_{month} TO PUBLIC": [
        "partition service_product_main_{branch}_{month}: PUBLIC has UPDATE (sql/policies/partitions.sql)"
    ],
    "CREATE POLICY open ON service_quotes_main_{branch}_{month} USING (true)": [
        "partition service_quotes_main_{branch}_{month}: it has the unknown policy open (sql/policies/partitions.sql)"
    ],
    "ALTER TABLE service_product_variant_pool OWNER TO ovasabi_app": [
        "partition service_product_variant_pool: its owner is ovasabi_app (sql/policies/partitions.sql)"
    ],
    "GRANT INSERT ON service_user_master TO ovasabi_search": [
        "grants on table service_user_master: ovasabi_search has INSERT (sql/policies/entities.sql)"
    ],
    "GRANT CREATE ON SCHEMA public TO PUBLIC, ovasabi_app, ovasabi_search": [
        "grants on schema public: PUBLIC has CREATE, ovasabi_app has CREATE, ovasabi_search has CREATE"
    ],
    "ALTER ROLE ovasabi_app BYPASSRLS": ["role ovasabi_app has BYPASSRLS (sql/policies/schema.sql)"],
    "ALTER ROLE ovasabi_search CREATEROLE": ["role ovasabi_search has CREATEROLE (sql/policies/schema.sql)"],
    "GRANT pg_read_all_data TO ovasabi_app": ["role ovasabi_app is a member of pg_read_all_data, granted by postgres"],
    "GRANT ovasabi_search TO ovasabi_app": ["role ovasabi_app is a member of ovasabi_search, granted by postgres"],
    "DROP POLICY search_read ON service_product_main_pool": [
        "partition service_product_main_pool: the policy search_read is missing or was changed"
    ],
    "ALTER TABLE service_content_main_{branch}_{month} DISABLE ROW LEVEL SECURITY": [
        "partition service_content_main_{branch}_{month}: row-level security is not enabled and forced"
    ],
    "ALTER TABLE service_event_operational_{month} DISABLE TRIGGER service_event_no_truncate": [
        "partition service_event_operational_{month}: the trigger service_event_no_truncate is missing or disabled"
    ],
}


async def changed(url: str) -> list[str]:
    """What `ovasabi status` says was changed."""
    return list((await runtime.status(url, Settings()))["objects_changed"])


async def all_of(url: str) -> object:
    """The schema and the facts about its objects; of grants, which PostgreSQL writes in two ways, the facts alone."""
    granted = {"function": 3, "table": 2}
    there = [row for row in await schema_of(url) if "pg.dropped" not in str(row[2])]
    schema = [row[: (at := granted.get(row[0], 9))] + row[at + 1 :] for row in there]
    async with admin(url) as connection:
        return schema, (await sql_objects.state_of(connection)).facts


@pytest_asyncio.fixture
async def roles(server: EmbeddedServer) -> AsyncIterator[None]:
    """Puts the roles, which all databases of the server share, back as they were, whatever happens in a test."""
    yield
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("ALTER ROLE ovasabi_app NOBYPASSRLS NOREPLICATION; ALTER ROLE ovasabi_search NOCREATEROLE")
    await connection.execute("REVOKE pg_read_all_data, ovasabi_search FROM ovasabi_app")
    await connection.close()


async def named_and_restored(url: str, changes: Mapping[str, list[str]]) -> str:
    """Makes changes, each of which is named, and restores them all with one migration; returns its plan."""
    _, dedicated, _ = await used(url)
    before: set[str] = set()
    async with admin(url) as connection:
        leaf = (
            "SELECT max(substring(relname, '[0-9]{6}$')) FROM pg_class WHERE relname ~ '^service_product_main_c[0-9]'"
        )
        names = {"branch": f"c{dedicated}", "month": await connection.fetchval(leaf)}
        schema, rows = await all_of(url), await contents_of(url)
        for statement, expected in changes.items():
            await connection.execute(statement.format(**names))
            found = set(await changed(url))
            new = found - before
            assert (found >= before, len(new)) == (True, len(expected)), (statement, new)
            for words in expected:
                assert any(words.format(**names) in sentence for sentence in new), (statement, new)
            before = found
    with pytest.raises(StartError, match="has been changed by hand") as refused:
        await runtime.check(url, Settings())
    assert refused.value.hint == "Run: ovasabi migrate"
    plan = await migrations.plan(url)
    await migrations.upgrade(url)
    assert await changed(url) == []
    assert await all_of(url) == schema
    assert await contents_of(url) == rows
    return plan


@pytest.mark.usefixtures("roles")
async def test_each_change_by_hand_is_named_and_one_migration_restores_them_all_and_nothing_else(
    migrated_url: str,
) -> None:
    plan = await named_and_restored(migrated_url, CHANGES)
    assert "sql/ids/uuid_id.sql is applied again: function uuid_id(uuid) is missing." in plan


async def test_what_an_administrator_adds_for_others_is_left_alone(migrated_url: str) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute("DROP ROLE IF EXISTS reporting")
        await connection.execute("CREATE ROLE reporting")
        try:
            await connection.execute("GRANT SELECT ON master TO reporting")
            await connection.execute("CREATE POLICY reports ON master FOR SELECT TO reporting USING (true)")
            await connection.execute(
                "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
            )
            await connection.execute(
                "CREATE TRIGGER noted AFTER INSERT ON master FOR EACH ROW EXECUTE FUNCTION noted()"
            )
            await connection.execute("CREATE TABLE reports (id int) PARTITION BY RANGE (id)")
            await connection.execute("CREATE TABLE reports_1 PARTITION OF reports FOR VALUES FROM (1) TO (2)")
            await connection.execute("CREATE RULE hide AS ON INSERT TO reports DO INSTEAD NOTHING")
            assert await changed(migrated_url) == []
            await connection.execute("GRANT SELECT ON service_quotes_main_pool TO ovasabi_app")
            await migrations.upgrade(migrated_url)
            assert await connection.fetchval("SELECT has_table_privilege('reporting', 'master', 'SELECT')")
            owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'reports_1'"
            assert await connection.fetchval(owner) == "postgres"
        finally:
            await connection.execute("DROP OWNED BY reporting; DROP ROLE reporting")


async def test_the_search_path_of_a_login_is_no_change(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url, server_settings={"search_path": "pg_catalog"})
    try:
        recorded = "SELECT json_object_agg(name, made) FROM public.sql_object"
        made = json.loads(await connection.fetchval(recorded))
        await connection.execute("SET search_path = information_schema, public")
        assert (await sql_objects.state_of(connection)).changed() == {}
        assert {name for name, facts in made.items() if not facts} - {"names/similarity"} == {  # of an extension
            "dropped",
            "policies/partitions",
        }
    finally:
        await connection.close()


async def test_a_database_without_a_record_is_served_and_gets_one_by_the_next_migration(
    migrated_url: str, tmp_path: Path
) -> None:
    schema = await all_of(migrated_url)
    async with admin(migrated_url) as connection:
        await connection.execute("ALTER TABLE sql_object DROP COLUMN made")
        await connection.execute("GRANT SELECT ON sql_object TO ovasabi_app")
        await connection.execute("DROP FUNCTION uuid_id(uuid)")
    await runtime.check(migrated_url, Settings(home=tmp_path))
    said: list[str] = []
    await migrations.upgrade(migrated_url, said.append)
    assert said == ["recording the functions and policies of the database"]
    assert await all_of(migrated_url) == schema
    assert await migrations.plan(migrated_url) == ""


async def test_a_policy_recorded_by_another_major_version_is_recorded_anew_and_is_no_change(migrated_url: str) -> None:
    async with admin(migrated_url) as connection:
        older = "UPDATE sql_object SET made = regexp_replace(made::text, $1, $2, 'g')::jsonb"
        await connection.execute(older, r'"1\d:\w+"', '"14:0"')
        assert await changed(migrated_url) == []
        assert "applied again to record what it creates" in await migrations.plan(migrated_url)
        await migrations.upgrade(migrated_url)
        assert await migrations.plan(migrated_url) == ""
        await connection.execute("ALTER POLICY campaign_scope ON lease USING (true)")
    assert len(await changed(migrated_url)) == 1


async def test_a_database_whose_schema_is_closed_to_everybody_is_migrated_and_served(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    async with fresh(server) as url:
        async with admin(url) as connection:
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await migrations.upgrade(url)
        await asyncio.wait_for(used(url), 60)
        await runtime.check(url, Settings(home=tmp_path))
