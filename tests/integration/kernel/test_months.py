"""Months are made ahead, step by step, without standing in anybody's way, and can be begun again at any time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.retry import Policy
from ovasabi.database.roles import APP_ROLE
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import NoPartition
from ovasabi.kernel.call.sqlstates import OwnSqlState
from ovasabi.kernel.declare.ids import time_id
from ovasabi.kernel.store import partitions as store_partitions
from ovasabi.lifecycle import migrations, partitions
from ovasabi.lifecycle.partitions import Step
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, caught, contents, eventually, kinds, make_campaign, pools, within

POOL = "service_content_main_pool"
_CATALOG = (
    "SELECT oid, relname, xmin::text AS changed FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
)
_STRAY = """
SELECT relname FROM pg_class c WHERE relkind = 'r' AND NOT relispartition AND relname ~ '_[0-9]{6}$'
   OR relkind = 'p' AND NOT relispartition AND relname ~ '_c[0-9]+$'"""


@pytest_asyncio.fixture(scope="module")
async def own_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database of these tests' own, in which leaves are counted."""
    async with fresh(server) as url:
        await migrations.upgrade(url)
        yield url


@pytest_asyncio.fixture
async def own(own_url: str) -> AsyncIterator[Database]:
    """Pools on that database, with the months of now."""
    async with pools(own_url, readers=3, writers=4) as database:
        await partitions.ensure(database, 1)
        yield database


async def catalog(url: str) -> list[tuple]:
    """All that DDL would change."""
    async with admin(url) as connection:
        return [tuple(row) for row in await connection.fetch(_CATALOG)]


async def stray(url: str) -> list[str]:
    """Tables that were made to be partitions, and are not."""
    async with admin(url) as connection:
        return [row["relname"] for row in await connection.fetch(_STRAY)]


async def place_of(url: str, id: int, table: str = "service_content_main") -> str:
    """The leaf that an entity's row is in."""
    async with admin(url) as connection:
        return await connection.fetchval(f"SELECT tableoid::regclass::text FROM {table} WHERE master_id = $1", id)


async def test_what_was_planned_and_applied_is_planned_no_more(own: Database, own_url: str) -> None:
    steps = await partitions.plan(own, 2, date(2030, 11, 20))
    parents = {step.parent for step in steps}
    assert {POOL, "service_event_operational", "service_event_analytics", "service_event_audit"} <= parents
    assert sorted({step.month for step in steps}) == [date(2030, 11, 1), date(2030, 12, 1), date(2031, 1, 1)]
    assert len(steps) == len(parents) * 3
    before = await catalog(own_url)
    assert await partitions.plan(own, 2, date(2030, 11, 20)) == steps
    assert await catalog(own_url) == before, "a plan touches nothing"
    assert await partitions.apply(own, steps) == len(steps)
    assert await partitions.plan(own, 2, date(2030, 11, 20)) == []
    done = await catalog(own_url)
    await partitions.apply(own, steps)
    assert await partitions.ensure(own, 1) == 0
    assert await catalog(own_url) == done, "the second time there is no DDL"
    assert await stray(own_url) == []


async def test_a_dedicated_campaign_gets_partitions_of_a_table_that_came_later_unless_it_has_rows_there(
    own: Database, own_url: str
) -> None:
    campaign, other = await make_campaign(own), await make_campaign(own)
    for number in (campaign, other):
        await partitions.dedicate(own, number, 1)
    done = {name for _, name, _ in await catalog(own_url)}
    async with admin(own_url) as connection:
        for number in (campaign, other):
            await connection.execute(f"DROP TABLE service_content_main_c{number}, service_quotes_main_c{number}")
    with within(other):
        made = await contents(own).create({"title": "in the pool"})
    assert await partitions.complete(own, 1) == 3 * 2
    assert await stray(own_url) == []
    assert await place_of(own_url, made.id) == f"{POOL}_{made.created_at:%Y%m}"
    lacking = {name for name in done if name.startswith(f"service_content_main_c{other}")}
    assert {name for _, name, _ in await catalog(own_url)} == done - lacking
    assert await partitions.complete(own, 1) == 0
    with within(campaign):
        made = await contents(own).create({"title": "placed"})
    assert await place_of(own_url, made.id) == f"service_content_main_c{campaign}_{made.created_at:%Y%m}"


async def test_leaves_are_named_for_their_parent_and_month_and_meet_without_a_gap(own: Database, own_url: str) -> None:
    campaign = await make_campaign(own)
    await partitions.dedicate(own, campaign, 1)
    branch = f"service_content_main_c{campaign}"
    months = [date(2024, 5, 1), date(2024, 6, 1), date(2024, 7, 1)]
    await partitions.apply(own, [Step(parent, month) for parent in (POOL, branch) for month in months])
    query = """SELECT relname, pg_get_expr(relpartbound, oid) AS bound FROM pg_class
               WHERE relispartition AND relname ~ '^service_content_main_.*_20240[567]$' ORDER BY 1"""
    async with admin(own_url) as connection:
        await connection.execute("SET TimeZone = 'UTC'")
        found = {row["relname"]: row["bound"] for row in await connection.fetch(query)}
    assert sorted(found) == sorted(f"{parent}_{month:%Y%m}" for parent in (POOL, branch) for month in months)
    for parent in (POOL, branch):
        assert found[f"{parent}_202406"] == "FOR VALUES FROM ('2024-06-01 00:00:00+00') TO ('2024-07-01 00:00:00+00')"


async def test_a_row_of_a_months_last_and_first_millisecond_lies_in_its_own_month(own: Database, own_url: str) -> None:
    months = [date(2032, 2, 1), date(2032, 3, 1)]
    await partitions.apply(own, [Step(p, m) for p in (POOL, "service_event_operational") for m in months])
    campaign, first = await make_campaign(own), datetime(2032, 3, 1, tzinfo=UTC)
    repository = contents(own)
    sql = repository.sql.create
    for at, month in ((first - timedelta(milliseconds=1), "203202"), (first, "203203")):
        clock = f"{time_id(at)} | (nextval('id_sequence') & 4095) AS id"
        vars(repository.sql)["create"] = sql.replace("nextval('id_clock') AS id", clock)
        with within(campaign):
            made = await repository.create({"title": "edge"})
            assert made.created_at == at
            assert await contents(own).get(made.id) == made
        assert await place_of(own_url, made.id) == f"{POOL}_{month}"


async def test_a_row_of_a_month_that_is_not_there_is_refused_with_a_clear_error(own: Database) -> None:
    campaign, repository = await make_campaign(own), contents(own)
    clock = f"{time_id(datetime(2050, 1, 1, tzinfo=UTC))} AS id"
    vars(repository.sql)["create"] = repository.sql.create.replace("nextval('id_clock') AS id", clock)
    with within(campaign), pytest.raises(NoPartition):
        await repository.create({"title": "too early"})


async def test_a_dedicated_campaigns_rows_are_in_its_own_leaves_and_nobody_elses(own: Database, own_url: str) -> None:
    dedicated, pooled = await make_campaign(own), await make_campaign(own)
    await partitions.dedicate(own, dedicated, 1)
    done = await catalog(own_url)
    await partitions.dedicate(own, dedicated, 1)
    assert await catalog(own_url) == done, "to dedicate again changes nothing"
    for campaign, parent in ((dedicated, f"service_content_main_c{dedicated}"), (pooled, POOL)):
        with within(campaign):
            made = await contents(own).create({"title": "placed"})
            assert await place_of(own_url, made.id) == f"{parent}_{made.created_at:%Y%m}"
            assert (await contents(own).update(made.id, {"title": "found"})).title == "found"
            assert (await contents(own).get(made.id)).title == "found"
    assert await partitions.plan(own, 1) == []


async def test_months_are_made_while_readers_and_writers_are_at_work(own: Database, own_url: str) -> None:
    campaign, answers, stop = await make_campaign(own), [], asyncio.Event()

    async def writer() -> None:
        while not stop.is_set():
            answers.append(await caught(contents(own).create({"title": "meanwhile"})))

    async def long_writer(seconds: float) -> None:
        async with own.transaction() as connection:
            await connection.execute("SELECT set_config('ovasabi.campaigns', $1, true)", f"{{{campaign}}}")
            await connection.execute("UPDATE service_content_main SET body = 'x' WHERE campaign_id = $1", campaign)
            await connection.execute("UPDATE master SET name = name WHERE campaign_id = $1", campaign)
            await asyncio.sleep(seconds)

    with within(campaign):
        await contents(own).create({"title": "first"})
        async with admin(own_url) as reader, reader.transaction(isolation="repeatable_read"):
            await reader.fetch("SELECT count(*) FROM service_content_main")
            await reader.fetch("SELECT count(*) FROM service_event")
            tasks = [asyncio.create_task(writer()) for _ in range(2)] + [asyncio.create_task(long_writer(1.0))]
            await asyncio.sleep(0.05)
            steps = await partitions.plan(own, 0, date(2033, 1, 1))
            assert len(steps) > 5
            assert await asyncio.wait_for(partitions.apply(own, steps), 60) == len(steps)
            stop.set()
            await asyncio.gather(*tasks)
            assert await reader.fetchval("SELECT count(*) FROM service_content_main") > 0
    assert kinds(answers) == {"Content": len(answers)}
    assert len(answers) > 5
    assert await partitions.plan(own, 0, date(2033, 1, 1)) == []


async def test_a_month_that_cannot_be_had_ends_in_an_error_and_not_in_a_hang(
    own: Database, own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_partitions, "_SHORT_LOCKS", Policy(attempts=4, first=0.05, longest=0.7))
    async with admin(own_url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE service_event_audit IN ACCESS SHARE MODE")
        await connection.execute(f"LOCK TABLE {POOL} IN SHARE UPDATE EXCLUSIVE MODE")
        making = partitions.apply(own, [Step("service_event_audit", date(2034, 1, 1)), Step(POOL, date(2034, 1, 1))])
        with pytest.raises(OvasabiError) as caught_error:
            await asyncio.wait_for(making, 60)
        assert caught_error.value.kind == "unavailable"
    assert {step.parent for step in await partitions.plan(own, 0, date(2034, 1, 1))} >= {POOL}
    assert await stray(own_url) == []


async def test_an_apply_that_is_cut_off_is_completed_by_the_next(own: Database, own_url: str) -> None:
    steps = await partitions.plan(own, 5, date(2035, 1, 1))
    assert len(steps) > 40
    for seconds in (0.05, 0.11, 0.23):
        task = asyncio.create_task(partitions.apply(own, await partitions.plan(own, 5, date(2035, 1, 1))))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await stray(own_url) == []
    left = await partitions.plan(own, 5, date(2035, 1, 1))
    assert 0 < len(left) < len(steps), "it was cut off in the middle"
    await partitions.apply(own, left)
    assert await partitions.plan(own, 5, date(2035, 1, 1)) == []


async def test_a_cut_off_session_leaves_no_half_made_leaf(own: Database, own_url: str) -> None:
    steps = await partitions.plan(own, 3, date(2036, 1, 1))
    task = asyncio.create_task(partitions.apply(own, steps))

    async def killed() -> bool:
        async with admin(own_url) as connection:
            query = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()
                       AND application_name = 'ovasabi' AND query LIKE 'SELECT create_month%' AND state = 'active'"""
            return await connection.fetchval(query) > 0 or task.done()

    await eventually(killed)
    await asyncio.gather(task, return_exceptions=True)
    assert await stray(own_url) == []
    await partitions.apply(own, await partitions.plan(own, 3, date(2036, 1, 1)))
    assert await partitions.plan(own, 3, date(2036, 1, 1)) == []


async def test_many_that_make_the_same_months_at_once_all_succeed(own: Database, own_url: str) -> None:
    steps = await partitions.plan(own, 0, date(2035, 1, 1))
    answers = await asyncio.gather(*(partitions.apply(own, steps) for _ in range(4)), return_exceptions=True)
    assert answers == [len(steps)] * 4
    assert await partitions.plan(own, 0, date(2035, 1, 1)) == []
    assert await stray(own_url) == []


@pytest.mark.parametrize(
    "parent",
    [
        "master",
        "service_content_main",
        "pg_class",
        "service_event",
        "nothing",
        "x; DROP TABLE master",
        "alembic_version",
    ],
)
async def test_months_are_made_only_where_months_belong(own: Database, own_url: str, parent: str) -> None:
    before = await catalog(own_url)
    async with admin(own_url) as connection:
        await connection.execute(f"SET ROLE {APP_ROLE}")
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await connection.execute("SELECT create_month($1, '2030-01-01')", parent)
        assert refusal.value.sqlstate == OwnSqlState.NO_PARTITIONS
        for table, campaign in (("master", 1), ("service_content_main", 0), ("service_user_master", 1), (parent, 0)):
            with pytest.raises(asyncpg.PostgresError) as refusal:
                await connection.execute("SELECT create_dedicated($1, $2)", table, campaign)
            assert refusal.value.sqlstate == OwnSqlState.NO_PARTITIONS
    assert await catalog(own_url) == before
