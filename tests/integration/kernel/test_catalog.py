"""What the catalog says of our tables, roles and functions: nothing is left open, nothing is named by accident."""

import re
from typing import Any

import asyncpg
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE, OWNER_ROLE, SEARCH_ROLE
from ovasabi.lifecycle import migrations, partitions
from tests.integration.kernel.fixtures import admin, make_campaign

WITHOUT_POLICY = {"api_key"}
"""Read before it is known for which campaign a call is."""
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_TABLES = """
SELECT c.oid::regclass::text AS name, c.relispartition AS is_part, c.relrowsecurity AS enabled,
       c.relforcerowsecurity AS forced,
       c.relkind = 'p' AS is_parent, pg_get_userbyid(c.relowner) AS owner,
       EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'campaign_id') AS scoped,
       ARRAY(SELECT polname || ':' || polroles::regrole[]::text FROM pg_policy
             WHERE polrelid = c.oid ORDER BY 1) AS policies,
       ARRAY(SELECT p FROM unnest($1::text[]) AS p WHERE has_table_privilege('ovasabi_app', c.oid, p)) AS granted
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1"""


async def tables(url: str) -> list[asyncpg.Record]:
    """All our tables, partitions too, and what the application may do with them."""
    async with admin(url) as connection:
        return await connection.fetch(_TABLES, list(PRIVILEGES))


async def rows(url: str, query: str, *args: Any) -> list[asyncpg.Record]:
    """The rows of a query of the catalog."""
    async with admin(url) as connection:
        return await connection.fetch(query, *args)


@pytest_asyncio.fixture(scope="module")
async def dedicated(database: Database) -> int:
    """A campaign with partitions of its own, so that every sort of table is there to be looked at."""
    number = await make_campaign(database)
    await partitions.dedicate(database, number, 1)
    return number


async def test_every_table_with_a_campaign_has_row_level_security_enabled_and_forced(
    database_url: str, dedicated: int
) -> None:
    scoped = [table for table in await tables(database_url) if table["scoped"]]
    assert len(scoped) > 30
    assert f"service_content_main_c{dedicated}" in {table["name"] for table in scoped}
    assert {table["name"] for table in scoped if not (table["enabled"] and table["forced"])} == WITHOUT_POLICY


async def test_global_tables_are_under_forced_row_level_security_too(database_url: str) -> None:
    found = await rows(database_url, "SELECT table_name FROM entity_type WHERE scope = 'global'")
    names = {row["table_name"] for row in found}
    assert names
    for table in await tables(database_url):
        if table["name"] in names:
            assert table["enabled"]
            assert table["forced"]


async def test_only_the_roots_have_a_policy_for_the_application_and_it_is_one(
    database_url: str, dedicated: int
) -> None:
    for table in await tables(database_url):
        ours = [policy for policy in table["policies"] if APP_ROLE in policy or "{-}" in policy]
        expected = table["enabled"] and not table["is_part"]
        # The event streams, which the application may not even read, say so in a policy as well.
        stream = re.fullmatch("service_event_(operational|analytics|audit)", table["name"])
        assert len(ours) == (1 if expected or stream else 0), table["name"]


async def test_the_application_has_no_privilege_on_any_partition(database_url: str, dedicated: int) -> None:
    parts = [table for table in await tables(database_url) if table["is_part"]]
    assert len(parts) > 20
    assert {table["name"]: table["granted"] for table in parts if table["granted"]} == {}


async def test_no_column_of_a_partition_is_granted_to_the_application(database_url: str, dedicated: int) -> None:
    query = """SELECT c.relname FROM pg_class c WHERE c.relispartition AND c.relkind IN ('r', 'p')
               AND (has_any_column_privilege('ovasabi_app', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"""
    assert await rows(database_url, query) == []


async def test_the_application_may_change_rows_only_where_it_must(database_url: str) -> None:
    granted = {table["name"]: set(table["granted"]) for table in await tables(database_url)}
    assert {name for name, may in granted.items() if may & {"TRUNCATE", "REFERENCES", "TRIGGER"}} == set()
    assert {name for name, may in granted.items() if "DELETE" in may} == {
        "master_key",
        "operation_work",
        "operation_output",
    }
    for name, may in granted.items():
        if name.startswith("service_event"):
            assert may == ({"SELECT"} if name == "service_event" else set())  # and it inserts some columns
    assert granted["api_key"] == set()


async def test_of_a_registry_row_the_application_may_change_four_columns(database_url: str) -> None:
    query = """SELECT attname FROM pg_attribute WHERE attrelid = 'master'::regclass AND attnum > 0
               AND has_column_privilege('ovasabi_app', attrelid, attnum, 'UPDATE') ORDER BY 1"""
    found = await rows(database_url, query)
    assert [row["attname"] for row in found] == ["name", "status", "updated_at", "version"]


async def test_no_role_of_ours_is_powerful_and_the_application_owns_nothing(database_url: str) -> None:
    query = "SELECT * FROM pg_roles WHERE rolname = ANY ($1::text[])"
    found = await rows(database_url, query, [APP_ROLE, OWNER_ROLE, SEARCH_ROLE])
    assert len(found) == 3
    for role in found:
        powers = ("super", "bypassrls", "createrole", "createdb", "replication", "canlogin")
        assert [power for power in powers if role[f"rol{power}"]] == [], role["rolname"]
    owned = "SELECT classid::regclass, objid FROM pg_shdepend WHERE refobjid = $1::oid AND deptype = 'o'"
    assert await rows(database_url, owned, next(role["oid"] for role in found if role["rolname"] == APP_ROLE)) == []


async def test_the_application_is_a_member_of_no_other_role(database_url: str) -> None:
    query = "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'ovasabi_app'::regrole"
    assert await rows(database_url, query) == []
    search = "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'ovasabi_search'::regrole"
    assert await rows(database_url, search) == []


async def test_the_searching_role_can_only_read(database_url: str) -> None:
    query = """SELECT c.relname FROM pg_class c
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND has_table_privilege('ovasabi_search', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"""
    assert await rows(database_url, query) == []


async def test_every_constraint_and_index_has_a_name_that_we_chose(database_url: str) -> None:
    query = """
      SELECT conrelid::regclass::text AS table_name, conname AS name
      FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
      WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f', 'c', 'x') AND conparentid = 0
        AND NOT c.relispartition
      UNION ALL
      SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indrelid
      WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition AND c.relname <> 'alembic_version'"""
    found = [row for row in await rows(database_url, query) if row["table_name"] != "alembic_version"]
    assert len(found) > 80
    odd = [
        row["name"]
        for row in found
        if not re.fullmatch(rf"{row['table_name']}(_[a-z0-9_]+)?_(pkey|fkey|key|check|idx)", row["name"])
    ]
    assert odd == []


async def test_the_check_constraints_of_a_partition_keep_their_names(database_url: str, dedicated: int) -> None:
    query = """
      SELECT DISTINCT conname AS name FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
      WHERE connamespace = 'public'::regnamespace AND contype = 'c' AND c.relispartition AND conname ~ '[0-9]$'"""
    assert await rows(database_url, query) == []


OWNERS = {
    "create_month": "tables are the owner's",
    "create_dedicated": "tables are the owner's",
    "due_operations": "it looks for work in all campaigns",
    "key_revoked": "keys are the owner's",
    "known_key": "keys are the owner's",
    "log_arrived": "it changes the default of a column of the log",
    "merge_pending_list": "indexes are the owner's",
    "next_id": "only the owner may set the sequence",
}
"""Functions that run with the owner's rights, and why; all others have those of the search role, which only reads."""


async def test_functions_that_run_as_another_are_pinned_and_only_the_application_may_call_them(
    database_url: str,
) -> None:
    query = """
      SELECT p.proname AS name, proconfig, pg_get_userbyid(proowner) AS owner,
             ARRAY(SELECT DISTINCT coalesce(r.rolname, 'PUBLIC')
                   FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
                   LEFT JOIN pg_roles AS r ON r.oid = grantee WHERE grantee <> proowner)::text[] AS callers
      FROM pg_proc p WHERE prosecdef AND pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"""
    found = await rows(database_url, query)
    assert {function["name"] for function in found} > OWNERS.keys()
    for function in found:
        path = [each for each in function["proconfig"] if each.startswith("search_path=")]
        assert path == ["search_path=public, pg_temp"], function["name"]
        assert function["callers"] == [APP_ROLE], function["name"]
        assert function["owner"] == (OWNER_ROLE if function["name"] in OWNERS else SEARCH_ROLE), function["name"]


async def test_only_the_owner_may_create_anything(empty_url: str) -> None:
    await migrations.upgrade(empty_url)  # a copy of a database has the default privileges again
    query = """
      SELECT r || ' ' || p FROM unnest($1::text[]) AS r, unnest(ARRAY['CREATE', 'TEMPORARY']) AS p
      WHERE has_database_privilege(r, current_database(), p)
         OR (p = 'CREATE' AND EXISTS (SELECT FROM pg_namespace AS n WHERE has_schema_privilege(r, n.oid, p)))"""
    assert await rows(empty_url, query, [APP_ROLE, SEARCH_ROLE]) == []
    assert len(await rows(empty_url, query, [OWNER_ROLE])) == 2


async def test_the_application_gives_no_event_a_position_of_its_own(database_url: str) -> None:
    query = """SELECT attname FROM pg_attribute WHERE attrelid = 'service_event'::regclass AND attnum > 0
               AND NOT has_column_privilege('ovasabi_app', attrelid, attnum, 'INSERT')"""
    assert [row["attname"] for row in await rows(database_url, query)] == ["xid"]


async def test_every_table_of_ours_belongs_to_the_owner(database_url: str, dedicated: int) -> None:
    assert {table["owner"] for table in await tables(database_url)} == {OWNER_ROLE}
