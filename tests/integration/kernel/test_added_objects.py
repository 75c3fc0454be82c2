"""What is added or disabled by hand and changes what our statements do is named, and undone by the next migration."""

from urllib.parse import urlsplit

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.pools import Pool
from ovasabi.database.session import SETTINGS
from ovasabi.kernel.search.full_text import search
from ovasabi.lifecycle import migrations
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, contents, pools, within
from tests.integration.kernel.test_changed_objects import changed, named_and_restored, roles
from tests.integration.kernel.test_sql_objects import used

__all__ = ["roles"]
LOSE, BY = "CREATE TRIGGER lose BEFORE UPDATE ON", "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
ADDED = {
    "ALTER TABLE service_event_operational_{month} DISABLE TRIGGER service_event_append_only": [
        "partition service_event_operational_{month} has the disabled trigger service_event_append_only"
    ],
    "CREATE FUNCTION next_id(text DEFAULT '') RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'": [
        "function next_id(text) is an unknown overload (sql/ids/next_id.sql)"
    ],
    "CREATE FUNCTION pg_catalog.scope_condition(text) RETURNS text LANGUAGE sql AS $$SELECT 'true'$$": [
        "function pg_catalog.scope_condition(text) is an unknown overload (sql/scope/scope_condition.sql)"
    ],
    "CREATE AGGREGATE words_of(text) (sfunc = textcat, stype = text)": [
        "aggregate words_of(text) is an unknown overload (sql/search/words_of.sql)"
    ],
    "CREATE FUNCTION service_content_main_pool_rows(int, int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'": [
        "function service_content_main_pool_rows(integer,integer[]) is an unknown overload"
    ],
    "CREATE RULE leak AS ON UPDATE TO lease DO ALSO SELECT name FROM master": [
        "table lease has the unknown rule leak (sql/policies/lease.sql)"
    ],
    "CREATE RULE hide AS ON INSERT TO service_content_main_pool DO INSTEAD NOTHING": [
        "partition service_content_main_pool has the unknown rule hide (sql/policies/partitions.sql)"
    ],
    f"{LOSE} service_event {BY}": ["table service_event has the unknown trigger lose, which runs before each write"],
    LOSE + " service_product_main_{branch}_{month} " + BY: [
        "partition service_product_main_{branch}_{month} has the unknown trigger lose, which runs before each write"
    ],
    "ALTER TABLE master DISABLE TRIGGER ALL": [
        "table master does not enforce all foreign keys (sql/policies/master.sql)",
        "trigger replace_copied on table master was changed (sql/policies/master.sql)",
    ],
    "DROP TRIGGER replace_copied ON service_user_master": [
        "trigger replace_copied on table service_user_master is missing (sql/policies/entities.sql)"
    ],
    "ALTER TABLE service_quotes_main_{branch}_{month} DISABLE TRIGGER ALL": [
        "partition service_quotes_main_{branch}_{month} does not enforce all foreign keys"
    ],
    "ALTER TABLE api_key DISABLE TRIGGER replace_copied": [
        "trigger replace_copied on table api_key was changed (sql/policies/api_key.sql)"
    ],
    "ALTER ROLE ovasabi_app REPLICATION": ["role ovasabi_app has REPLICATION (sql/policies/schema.sql)"],
}


# Since PostgreSQL 18.
NOT_ENFORCED = {
    "ALTER TABLE master_key ALTER CONSTRAINT master_key_master_fkey NOT ENFORCED": [
        "table master_key does not enforce all foreign keys (sql/policies/master_key.sql)"
    ]
}


@pytest.mark.usefixtures("roles")
async def test_each_addition_by_hand_is_named_and_one_migration_undoes_them_all(migrated_url: str) -> None:
    async with admin(migrated_url) as connection:
        newer = connection.get_server_version().major >= 18
    await named_and_restored(migrated_url, ADDED | (NOT_ENFORCED if newer else {}))


HOSTILE = {
    "search_path": "pg_catalog",
    "row_security": "off",
    "ovasabi.campaigns": "1,2,3",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "gin_fuzzy_search_limit": "1",
    "enable_partition_pruning": "off",
    "role": "pg_monitor",
}


async def test_no_setting_of_a_database_changes_what_a_session_does(server: EmbeddedServer) -> None:
    assert HOSTILE.keys() == SETTINGS.keys()
    async with fresh(server) as url:
        name = urlsplit(url).path.removeprefix("/")
        async with admin(url) as connection:
            for setting, value in HOSTILE.items():
                await connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        await migrations.upgrade(url)
        pooled, _, _ = await used(url)
        assert await changed(url) == []
        async with pools(url) as database:
            await works_in(database, pooled)
            for pool in Pool:
                (row,) = await database.read("SELECT count(*) AS seen FROM master", pool=pool)
                assert row["seen"] == 0  # without a scope
                for setting, value in HOSTILE.items():
                    (row,) = await database.read("SELECT current_setting($1) AS now", setting, pool=pool)
                    assert row["now"] != value, setting
        assert await migrations.plan(url) == ""


async def works_in(database: Database, campaign: int) -> None:
    """Searches and writes in a campaign."""
    with within(campaign):
        (found,) = (await search(database, "decimal")).hits
        await contents(database).update(found.id, {"title": "binary numbers"})
        assert [hit.id for hit in (await search(database, "binary")).hits] == [found.id]


async def test_a_database_whose_triggers_do_not_run_is_told_and_mended(server: EmbeddedServer) -> None:
    async with fresh(server) as url:
        await migrations.upgrade(url)
        name = urlsplit(url).path.removeprefix("/")
        for target in (f"DATABASE {name}", f"ROLE postgres IN DATABASE {name}"):
            async with admin(url) as connection:
                await connection.execute(f"ALTER {target} SET session_replication_role = replica")
            told = "setting session_replication_role is replica, so that triggers and foreign keys are not enforced"
            assert await changed(url) == [f"{told} (sql/policies/schema.sql)"]
            await migrations.upgrade(url)
            assert await changed(url) == []
