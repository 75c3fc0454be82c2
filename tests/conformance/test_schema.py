"""The table of every type: the migrations make it as declared, and it is closed to all but its role."""

import asyncpg

from ovasabi.database.roles import APP_ROLE
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.lifecycle import migrations

TREE = "SELECT relid::regclass::text AS name, isleaf FROM pg_partition_tree($1::regclass)"


async def test_the_migrations_make_what_is_declared(database_url: str) -> None:
    assert await migrations.differences(database_url) == []


async def test_the_table_is_closed_and_every_partition_of_it(
    of: EntityType, owner: asyncpg.Connection, places: dict[str, int]
) -> None:
    rows = await owner.fetch(TREE, of.table_name)
    tables = [row["name"] for row in rows] or [of.table_name]
    for name in tables:
        security = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = $1::regclass"
        assert await owner.fetchval(security, name), f"row-level security is not forced on {name}"
        rights = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
            if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", APP_ROLE, name, right)
        }
        assert rights == ({"SELECT", "INSERT", "UPDATE"} if name == of.table_name else set()), name
    policies = await owner.fetch(
        "SELECT polname, pg_get_expr(polqual, polrelid) AS condition FROM pg_policy"
        " WHERE polrelid = $1::regclass AND $2::regrole = ANY (polroles)",
        of.table_name,
        APP_ROLE,
    )
    assert [row["polname"] for row in policies] == ["campaign_scope"]
    assert "scope_campaigns()" in policies[0]["condition"]
