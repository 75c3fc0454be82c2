"""What a search reads of a branch is planned once a session: right in months that were empty then, and pruned."""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.roles import SEARCH_ROLE
from ovasabi.kernel.service import SearchRequest, ServiceRegistry
from ovasabi.lifecycle import partitions
from ovasabi.system.user.entity import User
from tests.integration.kernel.fixtures import admin, backdated, make_campaign, month_before, open_month, within

TABLE = "service_content_main"
MONTHS = 4


@pytest_asyncio.fixture(scope="module", params=["pool", "own partitions"])
async def place(request: pytest.FixtureRequest, database: Database) -> tuple[int, str]:
    """A campaign with a content in each of some months, and its branch."""
    campaign = await make_campaign(database)
    branch = f"{TABLE}_pool"
    if request.param != "pool":
        await partitions.dedicate(database, campaign, 2)
        branch = f"{TABLE}_c{campaign}"
    for back in range(MONTHS):
        await open_month(database, month_before(back))
        if request.param != "pool":
            await partitions.apply(database, [partitions.Step(branch, month_before(back))])
        with within(campaign):
            await backdated(database, month_before(back)).create({"title": f"month {back}", "slug": f"m{back}"})
    return campaign, branch


async def kept_plan(connection: asyncpg.Connection, function: str, statement: int, values: str) -> str:
    """The plan, and the run, of a statement of a function, as a session keeps it."""
    row = await connection.fetchrow(
        """SELECT prosrc, proargnames[1:pronargs] AS names, proconfig,
                  ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS a (t, n)
                        ORDER BY n) AS types
           FROM pg_proc WHERE proname = $1""",
        function,
    )
    texts = re.findall(r"(?:RETURN QUERY|RETURN \(|(?<=\s))\s*((?:WITH|SELECT)\b[^;]*);", row["prosrc"])
    text = texts[statement].removesuffix(")") if "RETURN (" in row["prosrc"] else texts[statement]
    text = text.replace(" INTO found", "").replace("exact OR ", "false OR ").replace("@@ indexed", "@@ p_indexed")
    for number, name in enumerate(row["names"], 1):
        text = re.sub(rf"\b{name}\b", f"${number}", text)
    await connection.execute(f"SET ROLE {SEARCH_ROLE}")
    for setting in ["plan_cache_mode=force_generic_plan", "enable_seqscan=off", *row["proconfig"]]:
        await connection.execute("SELECT set_config($1, $2, false)", *setting.split("="))
    await connection.execute(f"PREPARE kept({', '.join(row['types'])}) AS {text}")
    found = await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE kept({values})")
    return "\n".join(line[0] for line in found)


def read(plan: str) -> list[str]:
    """The leaves that a run read."""
    scans = re.findall(r"Scan(?: Backward)?(?: using \S+)? on (\S+)[^\n]*?\((?:actual|never)([^\n]*)", plan)
    leaves = {leaf for leaf, told in scans if "executed" not in told and "_idx" not in leaf}
    return sorted(leaf for leaf in leaves if leaf.startswith(TABLE))


def indexes(plan: str) -> list[str]:
    """The indexes that are followed, also where nothing was read at this run."""
    return re.findall(r"Index Scan(?: Backward)? using (\S+)", plan)


async def test_rows_by_their_ids_are_read_by_the_primary_key_in_the_months_of_the_ids(
    place: tuple[int, str], database_url: str
) -> None:
    campaign, branch = place
    async with admin(database_url) as connection:
        id, at = await connection.fetchrow(
            f"SELECT master_id, created_at FROM {TABLE} WHERE campaign_id = $1 ORDER BY 1 LIMIT 1", campaign
        )
        plan = await kept_plan(connection, f"{branch}_rows", 0, f"{campaign}, ARRAY[{id}]")
    assert read(plan) == [f"{branch}_{at.astimezone(UTC):%Y%m}"]
    assert len(indexes(plan)) > MONTHS
    assert [name for name in indexes(plan) if "pkey" not in name] == []


@pytest.mark.parametrize("function", ["sample", "newest"])
async def test_the_newest_rows_are_read_in_the_order_of_the_primary_key_and_of_the_newest_months(
    place: tuple[int, str], database_url: str, function: str
) -> None:
    campaign, branch = place
    async with admin(database_url) as connection:
        newest = await connection.fetchval(f"SELECT max(created_at) FROM {TABLE} WHERE campaign_id = $1", campaign)
        month = newest.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        values = {
            "sample": f"{campaign}, '{month}', ARRAY['a'::tsquery], 100",
            "newest": f"{campaign}, '{month}', 'a', 200, 100",
        }[function]
        plan = await kept_plan(connection, f"{branch}_{function}", 0, values)
    assert f"{branch}_{month - timedelta(days=1):%Y%m}" not in plan
    assert f"{branch}_{month:%Y%m}" in read(plan)
    assert int(re.findall(r"Subplans Removed: (\d+)", plan)[0]) >= MONTHS - 1
    assert indexes(plan)
    assert [name for name in indexes(plan) if "pkey" not in name] == []


@pytest.mark.parametrize("statement", [0, 1])
async def test_words_are_looked_up_in_the_full_text_index_of_every_month(
    place: tuple[int, str], database_url: str, statement: int
) -> None:
    campaign, branch = place
    async with admin(database_url) as connection:
        values = f"{campaign}, '', $$'month'$$, $$'month' & '1'$$, 200, 100"
        plan = await kept_plan(connection, f"{branch}_lookup", statement, values)
    assert len(read(plan)) >= MONTHS
    assert len(re.findall(r"Bitmap Index Scan on \S+search_vector\S*", plan)) == len(read(plan))


async def test_a_search_answers_entities_of_all_months_as_they_are_read(
    place: tuple[int, str], database: Database
) -> None:
    service = ServiceRegistry(database).named("content")
    with within(place[0]):
        answer = await service.search(SearchRequest(q="month "))
        assert len(answer.hits) == answer.total == MONTHS
        assert [hit.entity for hit in answer.hits] == [await service.get(hit.entity.id) for hit in answer.hits]
        assert [hit.entity.title for hit in (await service.search(SearchRequest(q="month 2"))).hits] == ["month 2"]
        assert (await service.search(SearchRequest(q="absent"))).hits == []


@pytest.mark.parametrize("name", ["campaign", "user"])
async def test_a_search_of_the_platform_answers_its_entities(database: Database, name: str) -> None:
    registry = ServiceRegistry(database)
    word = f"w{datetime.now(UTC).timestamp():.6f}".replace(".", "")
    with within(0):
        if name == "campaign":
            made = await registry.named(name).create({"slug": word, "title": word})
        else:
            made = await registry.named(name).repository.create({"username": word, "email": f"{word}@example.org"})
            assert isinstance(made, User)
        found = (await registry.named(name).search(SearchRequest(q=word))).hits
    with within(made.campaign_id):  # the entity of a campaign is among its own rows
        assert [hit.entity for hit in found] == [await registry.named(name).get(made.id)]
