"""What every type costs: one statement a call, and one leaf for one row."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.entity import EntityType, Scope
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.filters import parse_filter
from ovasabi.kernel.store.listing import ListRequest
from tests.integration.drafts import Maker, within

NEXT_NUMBER = "SELECT nextval('campaign_number')::int"


@pytest_asyncio.fixture(scope="module")
async def counted(database_url: str, database: Database) -> AsyncIterator[tuple[ServiceRegistry, list[str]]]:
    """Services with one connection of each kind, and the statements that they send."""
    sent: list[str] = []
    opened = await Database(database_url, readers=1, writers=1).open()
    for pool in Pool:
        async with opened._connection(pool, 5) as connection:
            connection.add_query_logger(lambda record: sent.append(record.query))
    yield ServiceRegistry(opened), sent
    await opened.close()


async def test_a_write_is_one_statement_and_a_read_is_one(
    of: EntityType, maker: Maker, counted: tuple[ServiceRegistry, list[str]]
) -> None:
    (registry, sent), drafts = counted, [await maker.draft(of.name) for _ in range(2)]
    repository = registry.named(of.name).repository
    # The first round is not counted: in it the driver asks for the types that it meets.
    for draft in drafts:
        patch = await maker.patch(of.name)
        # The number of a campaign comes from the directory, which is not part of the repository.
        root = of.scope is Scope.ROOT
        number = (await registry.database.write(NEXT_NUMBER))[0][0] if root else None
        sent.clear()
        with maker.creating(of.name):
            made = await repository.create(draft, number=number)
        steps = [len(sent)]
        with within(made):
            for call in (
                lambda id: repository.get(id),
                lambda id, patch=patch: repository.update(id, patch),
                lambda id: repository.delete(id),
                lambda id: repository.restore(id),
                lambda id: registry.named(of.name).list(ListRequest()),
                lambda id: registry.named(of.name).get(id),
            ):
                sent.clear()
                await call(made.id)
                steps.append(len(sent))
    # Where it is counted, a delete or a restore and its count are a transaction; the create is one statement as well.
    marks = 1
    if of.counter is not None:
        orphan = getattr(made, of.counter.reference.name) is None  # there is nothing to count it in
        marks = len(["BEGIN", "the row", "COMMIT"]) + (0 if orphan else len(["its count"]))
    assert steps == [1, 1, 1, marks, marks, 1, 1]


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
    for statement_of in (sql.list, sql.list_small):
        listed = statement_of(condition.sql, order, "$5")
        assert await leaves_in(app, of, listed, scope, campaign, *condition.values, 51) == {leaf}
        everything = await leaves_in(app, of, statement_of("", order, "$3"), scope, campaign, 51)
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
