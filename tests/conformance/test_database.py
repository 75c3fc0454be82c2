"""What holds for every entity's table: the migrations make it as declared, it is closed to others, and plans prune."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.pools import prepare_connection
from ovasabi.database.roles import APP_ROLE
from ovasabi.discovery import discover
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.filters import parse_filter
from ovasabi.lifecycle import migrations
from tests.conftest import new_campaign
from tests.integration.drafts import Maker, within

discover()
TREE = "SELECT relid::regclass::text AS name, isleaf FROM pg_partition_tree($1::regclass)"


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser, whom row-level security does not bind: to look at the catalogue."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def app(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection in the application's role, which plans with the values that it is given."""
    settings = {"role": APP_ROLE, "plan_cache_mode": "force_custom_plan", "TimeZone": "UTC"}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    await prepare_connection(connection)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def places(registry: ServiceRegistry) -> dict[str, int]:
    """Two campaigns: one in the pool, one with partitions of its own."""
    return {"pool": await new_campaign(registry), "dedicated": await new_campaign(registry, dedicated=True)}


@pytest.fixture(params=sorted(declared))
def of(request: pytest.FixtureRequest) -> EntityType:
    """Each entity type there is."""
    return declared[request.param]


@pytest.fixture(params=sorted(name for name, of in declared.items() if of.scope is Scope.CAMPAIGN))
def partitioned(request: pytest.FixtureRequest) -> EntityType:
    """Each entity type of campaigns."""
    return declared[request.param]


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


async def test_without_a_scope_nothing_is_there(of: EntityType, maker: Maker, app: asyncpg.Connection) -> None:
    await maker.create(of.name)
    assert await app.fetchval(f"SELECT count(*) FROM {of.table_name}") == 0


@pytest_asyncio.fixture
async def maker(registry: ServiceRegistry, campaign: int) -> Maker:
    """Makes entities in a campaign of the test's own."""
    return Maker(registry, campaign)


async def leaves_in(app: asyncpg.Connection, of: EntityType, sql: str, *args: Any) -> set[str]:
    """The leaves of an entity's table that the plan of a statement touches; it is planned with its values, not run."""
    answer = await app.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *args)
    names: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if str(node.get("Relation Name", "")).startswith(f"{of.table_name}_"):
                names.add(node["Relation Name"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(answer))
    return names


def change_args(entity: Any, patch: str) -> list[Any]:
    """What `update`, `delete`, `restore` and `adjust` take for one row."""
    at, campaign = id_time(entity.id), entity.campaign_id
    return [
        scope_of(campaign),
        [campaign],
        [entity.id],
        [at],
        [None],
        [patch],
        ["x:y:v1:success"],
        ["x"],
        [None],
        [None],
    ]


@pytest.mark.parametrize("place", ["pool", "dedicated"])
async def test_the_plans_touch_one_leaf(
    partitioned: EntityType, place: str, places: dict[str, int], registry: ServiceRegistry, app: asyncpg.Connection
) -> None:
    of, campaign, sql = partitioned, places[place], Statements(partitioned)
    made = await Maker(registry, campaign).create(of.name)
    branch = f"{of.table_name}_pool" if place == "pool" else f"{of.table_name}_c{campaign}"
    leaf = f"{branch}_{made.created_at:%Y%m}"
    scope, at = scope_of(campaign), id_time(made.id)
    assert await leaves_in(app, of, sql.get, scope, [campaign], [at], [made.id]) == {leaf}
    for statement in (sql.update, sql.delete, sql.restore):
        assert await leaves_in(app, of, statement, *change_args(made, "{}")) == {leaf}
    order = "s.created_at DESC, s.master_id DESC"
    month = datetime(made.created_at.year, made.created_at.month, 1, tzinfo=UTC)
    after = (month.replace(day=28) + (month.replace(day=28) - month.replace(day=1))).replace(day=1)
    condition = parse_filter(of, f'created_at >= "{month.isoformat()}" AND created_at < "{after.isoformat()}"', 3)
    listed = sql.list(condition.sql, order, "$5")
    assert await leaves_in(app, of, listed, scope, campaign, *condition.values, 51) == {leaf}
    everything = await leaves_in(app, of, sql.list("", order, "$3"), scope, campaign, 51)
    assert leaf in everything
    assert all(name.startswith(f"{branch}_2") for name in everything), "a list stays in its campaign's own leaves"


@pytest.mark.parametrize("place", ["pool", "dedicated"])
async def test_a_row_lies_where_its_campaign_lives(
    partitioned: EntityType, place: str, places: dict[str, int], registry: ServiceRegistry, owner: asyncpg.Connection
) -> None:
    made = await Maker(registry, places[place]).create(partitioned.name)
    with within(made):
        lies = f"SELECT tableoid::regclass::text FROM {partitioned.table_name} WHERE master_id = $1"
        branch = "pool" if place == "pool" else f"c{places[place]}"
        assert await owner.fetchval(lies, made.id) == f"{partitioned.table_name}_{branch}_{made.created_at:%Y%m}"
