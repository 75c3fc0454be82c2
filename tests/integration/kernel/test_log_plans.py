"""Every reader of the event log starts at its position in the index, and reads nothing that came before it."""

import asyncio
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE
from ovasabi.database.sql import load
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.events import log, log_poll
from ovasabi.kernel.events.log import earliest, read_events
from ovasabi.kernel.events.log_poll import position_of
from ovasabi.kernel.search import generations
from tests.integration.kernel.fixtures import admin, contents, make_campaign, within
from tests.integration.kernel.test_merged_plans import executed

BEFORE = 300
AFTER = 5

# The settings of the pool for pages in the order of an index.
IN_ORDER = "SET enable_sort = off; SET enable_bitmapscan = off; SET enable_seqscan = off"


@pytest_asyncio.fixture(scope="module")
async def positions(database: Database) -> list[tuple[int, int, int]]:
    """In two campaigns, a position with many events before it and few after it: campaign, transaction, event."""
    found = []
    for campaign in [await make_campaign(database) for _ in range(2)]:
        with within(campaign):
            await asyncio.gather(*(contents(database).create({"title": f"{n}"}) for n in range(BEFORE)))
            for n in range(AFTER + 1):
                await contents(database).create({"title": f"later {n}"})
            xid, id = position_of((await read_events(database, limit=2 * BEFORE))[-AFTER - 1])
        found.append((campaign, xid, id))
    return found


def statement(reader: str, positions: list[tuple[int, int, int]]) -> tuple[str, list[Any], int]:
    """The statement of a reader of the log, its arguments, and how many events it finds."""
    campaigns, xids, ids = (list(part) for part in zip(*positions, strict=True))
    texts, streams, since = [str(xid) for xid in xids], list(STREAMS), min(earliest(id) for id in ids)
    if reader == "page":
        return (
            load(log.__file__)["page"],
            [scope_of(campaigns[0]), streams, campaigns[0], since, texts[0], ids[0], None, None, 100],
            AFTER,
        )
    if reader == "poll":
        return (
            load(log_poll.__file__)["poll"],
            [scope_of(*campaigns), campaigns, texts, ids, streams, since, None, None, 100, 1 << 20],
            2 * AFTER,
        )
    months = generations._months(id_time(id) for id in ids)
    first, last = [str(xid + 1) for xid in xids], [str((1 << 64) - 1)] * len(xids)
    return load(generations.__file__)["changed"], [scope_of(*campaigns), campaigns, first, last, streams, *months], 2


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "analyzed"])
@pytest.mark.parametrize("reader", ["page", "poll", "change"])
async def test_what_came_before_a_position_is_not_read(
    positions: list[tuple[int, int, int]], database_url: str, reader: str, analyzed: bool
) -> None:
    sql, args, count = statement(reader, positions)
    async with admin(database_url) as connection:
        plan = await plan_of(connection, sql, args, analyzed)
    scans = [node for node in plan if node.get("Relation Name", "").startswith("service_event")]
    for scan in scans:
        assert "campaign_id_xid" in scan["Index Name"], scan
        assert scan.get("Rows Removed by Filter", 0) == 0, scan
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) == count


async def plan_of(connection: asyncpg.Connection, sql: str, args: list[Any], analyzed: bool) -> list[dict[str, Any]]:
    """The executed nodes of a statement as the application runs it; statistics are for it alone."""
    undone = connection.transaction()
    await undone.start()
    if analyzed:
        await connection.execute("ANALYZE service_event")
    await connection.execute(f"SET ROLE {APP_ROLE}; SET plan_cache_mode = force_custom_plan; SET jit = off; {IN_ORDER}")
    plan = await executed(connection, sql, *args)
    await undone.rollback()
    return plan
