"""A statement for many callers touches the leaves of their campaigns and months only, and finds rows by their key."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import partitions
from ovasabi.lifecycle.partitions import Step
from ovasabi.services.content.entity import Comment, Content
from tests.integration.kernel.fixtures import (
    admin,
    backdated,
    contents,
    make_campaign,
    month_before,
    open_month,
    within,
)

PARENT = "service_content_main"
KEYS = 64
SIZES = (60, 400, 600)
"""How many rows the dedicated campaigns have in a month; the others have as the last."""
DEDICATED, POOLED, OTHERS = 3, 5, 20


async def fill(database: Database, campaign: int, count: int, months: list[date]) -> list[Content]:
    """Rows of a campaign in some months, all of a month in one millisecond, which is the campaign's own."""
    made: list[Content] = []
    for month in months:
        repository = backdated(database, month)
        text, sequence = repository.sql.create, "| (nextval('id_sequence') & 4095) AS id"
        assert text.count(sequence) == 1
        vars(repository.sql)["create"] = text.replace(sequence, f"+ ({campaign} << 12) {sequence}")
        with within(campaign):
            made += await repository.create_many([NewEntity({"title": f"{n}"}) for n in range(count)])
    return made


@pytest_asyncio.fixture(scope="module")
async def keys(database: Database) -> list[Content]:
    """64 of the rows of eight campaigns, three of them with partitions of their own, among many rows of many others."""
    *old, this = [month_before(distance) for distance in (4, 3, 2, 1, 0)]
    months = [old[0], old[2], this]
    for month in old:
        await open_month(database, month)
    for _ in range(OTHERS):
        await fill(database, await make_campaign(database), 10, months)
    chosen: list[Content] = []
    for number in range(DEDICATED + POOLED):
        campaign = await make_campaign(database)
        if number < DEDICATED:
            await partitions.dedicate(database, campaign, 0)
            await partitions.apply(database, [Step(f"{PARENT}_c{campaign}", month) for month in (*old, this)])
        rows = SIZES[min(number, len(SIZES) - 1)]
        made = await fill(database, campaign, rows, months)
        chosen += [*made[:3], *made[rows : rows + 3], *made[2 * rows : 2 * rows + 2]]
    assert len(chosen) == KEYS
    return sorted(chosen, key=lambda content: content.id)


@pytest_asyncio.fixture
async def app(database_url: str) -> Any:
    """A connection of the application's role, which plans with the values that it is given, as its pools do."""
    async with admin(database_url) as connection:
        await connection.execute(f"SET ROLE {APP_ROLE}")
        await connection.execute("SET plan_cache_mode = force_custom_plan; SET jit = off")
        await connection.execute("SET max_parallel_workers_per_gather = 0")
        yield connection


def arguments(keys: list[Content], verb: str) -> list[Any]:
    """What a statement takes for all of them."""
    campaigns, ids = [of.campaign_id for of in keys], [of.id for of in keys]
    ats, each = [id_time(id) for id in ids], len(keys)
    if verb == "get":
        return [scope_of(*campaigns), campaigns, ats, ids]
    if verb == "count":
        comments = [f'{{"content_id": {id}, "body": "x", "metadata": {{}}}}' for id in ids]
        said = [["content:create_comment:v1:success"] * each, ["x"] * each, [None] * each, [None] * each]
        return [scope_of(*campaigns), campaigns, comments, [None] * each, [None] * each, *said, campaigns, ids, ats]
    data = {"update": '{"body": "planned"}', "adjust": '{"comment_count": 1}'}.get(verb, "{}")
    said = [["content:x:v1:success"] * each, ["x"] * each, [None] * each, [None] * each]
    return [scope_of(*campaigns), campaigns, ids, ats, [None] * each, [data] * each, *said]


async def executed(connection: asyncpg.Connection, sql: str, *args: Any) -> list[dict[str, Any]]:
    """The nodes of a statement's plan that were executed; it is really run."""
    answer = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *args)
    return [node for node in nodes(json.loads(answer)) if node["Actual Loops"]]


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    if isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for value in plan.values():
            yield from nodes(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from nodes(value)


@pytest.mark.parametrize("verb", ["get", "update", "delete", "adjust", "count"])
async def test_a_statement_for_many_touches_their_leaves_only_and_finds_each_row_by_its_primary_key(
    keys: list[Content], app: asyncpg.Connection, database: Database, verb: str
) -> None:
    # What counts is found like any other: by the create of what it counts.
    text = Statements(type_of(Comment)).create if verb == "count" else getattr(contents(database).sql, verb)
    undone = app.transaction()
    await undone.start()
    plan = await executed(app, text, *arguments(keys, verb))
    await undone.rollback()
    scans = [node for node in plan if "Relation Name" in node and node["Node Type"].endswith("Scan")]
    of_leaves = [scan for scan in scans if scan["Relation Name"].startswith(f"{PARENT}_")]
    own = [f"{PARENT}_c{campaign}" for campaign in list(dict.fromkeys(of.campaign_id for of in keys))]
    there = await app.fetch("SELECT relname FROM pg_class WHERE relname = ANY ($1)", own)
    branches = [f"{PARENT}_pool", *(row["relname"] for row in there)]
    assert len(branches) == DEDICATED + 1
    months = {f"{id_time(of.id):%Y%m}" for of in keys}
    assert len(months) == 3
    leaves = {f"{branch}_{month}" for branch in branches for month in months}
    assert {scan["Relation Name"] for scan in of_leaves} == leaves
    for scan in of_leaves:
        assert scan["Actual Rows"] <= 1, "for each key it is asked for"
        assert scan["Node Type"] == "Index Scan", scan
        assert scan["Index Name"].endswith("_pkey"), scan
        assert scan.get("Rows Removed by Filter", 0) == 0, scan
    appends = [node for node in plan if node["Node Type"] == "Append"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in appends) == KEYS
    of_registry = [scan for scan in scans if scan["Relation Name"] == "master"]
    for scan in of_registry:
        assert scan["Node Type"] == "Index Scan", scan
        assert scan.get("Rows Removed by Filter", 0) == 0, scan
        assert scan["Actual Rows"] * scan["Actual Loops"] <= KEYS


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "analyzed"])
@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_a_change_reads_the_natural_keys_that_it_needs_and_no_others(
    database: Database, app: asyncpg.Connection, verb: str, analyzed: bool
) -> None:
    campaign = await make_campaign(database)
    with within(campaign):
        made = await contents(database).create_many([NewEntity({"title": f"{n}", "slug": f"n{n}"}) for n in range(400)])
    undone = app.transaction()
    await undone.start()
    if analyzed:
        await app.execute("RESET ROLE; ANALYZE master_key")
    await app.execute(f"SET ROLE {APP_ROLE}; SET enable_seqscan = off")
    args = arguments(made[:1], verb)
    if verb == "update":
        args[5] = ['{"slug": "new"}']
    plan = await executed(app, getattr(contents(database).sql, verb), *args)
    await undone.rollback()
    scans = [node for node in plan if node.get("Relation Name") == "master_key" and node["Node Type"].endswith("Scan")]
    assert scans
    for scan in scans:
        assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= 1, scan
