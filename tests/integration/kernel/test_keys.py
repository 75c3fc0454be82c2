"""Every key, reference and index of the catalog is of one campaign: the rows of a campaign can live on any server."""

import asyncpg
import pytest

from ovasabi.kernel.declare.names import PLATFORM_COLUMN
from tests.integration.kernel.fixtures import admin

OF_THE_PLATFORM = {
    "alembic_version": "the migrations of the database",
    "log_epoch": "the servers that the log of the database has been on",
    "api_key": "a key is looked up before its campaign is known",
    "campaign_directory": "where each campaign is",
    "entity_type": "the same for all campaigns",
    "sql_object": "the functions and policies of the database",
}
"""Tables without rows of campaigns, besides those of global entities, and why."""
UNIQUE = """
SELECT i.indexrelid::regclass::text AS name, c.relname AS table_name,
       ARRAY(SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute AS a
             ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.place)::text[] AS columns
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND i.indisunique"""
FOREIGN = """
SELECT c.conrelid::regclass::text || '.' || c.conname AS name, c.confrelid::regclass::text AS target,
       ARRAY(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY AS k (n, place) JOIN pg_attribute
             ON attrelid = c.conrelid AND attnum = n ORDER BY place)::text[] AS columns,
       ARRAY(SELECT attname FROM unnest(c.confkey) WITH ORDINALITY AS k (n, place) JOIN pg_attribute
             ON attrelid = c.confrelid AND attnum = n ORDER BY place)::text[] AS referred,
       c.convalidated AS checked, i.indisprimary AS to_primary_key
FROM pg_constraint AS c JOIN pg_index AS i ON i.indexrelid = c.conindid
WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace"""


async def fetched(url: str, query: str) -> list[asyncpg.Record]:
    """The rows of a query of the catalog."""
    async with admin(url) as connection:
        return await connection.fetch(query)


async def unique_without_campaign(url: str) -> set[str]:
    """The unique indexes outside the platform's own tables that two campaigns share."""
    types = await fetched(url, "SELECT table_name FROM entity_type WHERE scope = 'global'")
    platform = OF_THE_PLATFORM.keys() | {row["table_name"] for row in types}
    found = [row for row in await fetched(url, UNIQUE) if row["table_name"] not in platform]
    assert len(found) > 10
    return {row["name"] for row in found if "campaign_id" not in row["columns"]}


async def wrong_references(url: str) -> list[str]:
    """The foreign keys that do not begin with a campaign, or are not checked."""
    found = await fetched(url, FOREIGN)
    assert len(found) > 20
    return [
        row["name"]
        for row in found
        if row["target"] != "entity_type"
        and not (
            row["columns"][0] in ("campaign_id", PLATFORM_COLUMN)
            and row["referred"][0] == "campaign_id"
            and row["checked"]
            and row["to_primary_key"]
        )
    ]


async def test_nothing_is_unique_across_campaigns(database_url: str) -> None:
    assert await unique_without_campaign(database_url) == set()


async def test_every_reference_names_the_campaign_of_what_it_refers_to(database_url: str) -> None:
    assert await wrong_references(database_url) == []


async def test_the_registry_is_keyed_by_campaign_and_id(database_url: str) -> None:
    keys = {row["name"]: row["columns"] for row in await fetched(database_url, UNIQUE) if row["table_name"] == "master"}
    assert keys == {"master_pkey": ["campaign_id", "id"], "master_uuid_key": ["uuid", "campaign_id"]}


async def test_a_plan_made_while_the_registry_is_empty_looks_up_by_the_primary_key(migrated_url: str) -> None:
    by_id = "SELECT 1 FROM ONLY master AS x WHERE campaign_id = $1 AND id = $2 FOR KEY SHARE OF x"  # a foreign key's
    async with admin(migrated_url) as connection:
        await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE checked (int, bigint) AS {by_id}")
        plan = [row[0] for row in await connection.fetch("EXPLAIN (COSTS OFF) EXECUTE checked (1, 2)")]
    assert "Index Scan using master_pkey on master x" in plan[1]
    assert "Index Cond: ((campaign_id = $1) AND (id = $2))" in plan[2]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("CREATE UNIQUE INDEX odd ON master (id)", "odd"),
        ("CREATE TABLE odd (id bigint PRIMARY KEY)", "odd_pkey"),
        ("ALTER TABLE service_event ADD CONSTRAINT odd UNIQUE (stream, occurred_at, master_id)", "odd"),
    ],
)
async def test_a_key_without_a_campaign_is_noticed(migrated_url: str, change: str, name: str) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute(change)
    assert await unique_without_campaign(migrated_url) == {name}


async def test_a_reference_by_id_alone_is_noticed(migrated_url: str) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute("CREATE TABLE odd (campaign_id int, id bigint, PRIMARY KEY (id))")
        await connection.execute("ALTER TABLE lease ADD odd_id bigint CONSTRAINT lease_odd_fkey REFERENCES odd (id)")
    assert await wrong_references(migrated_url) == ["lease.lease_odd_fkey"]


async def test_a_reference_to_the_platform_cannot_name_another_campaign(migrated_url: str) -> None:
    async with admin(migrated_url) as connection:
        tables = await connection.fetch(
            "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid"
            " WHERE attname = $1 AND relkind IN ('r', 'p') AND NOT relispartition",
            PLATFORM_COLUMN,
        )
        checks = await connection.fetch(
            "SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'c' AND convalidated"
            " AND pg_get_constraintdef(oid) = $1 AND coninhcount = 0",
            f"CHECK (({PLATFORM_COLUMN} = 0))",
        )
    assert len(tables) > 3
    assert {row["name"] for row in tables} == {row["name"] for row in checks}
