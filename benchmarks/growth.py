"""The cost as work grows: the same gets and creates while campaigns and their partitions multiply around them."""

import time
from collections.abc import Callable

from benchmarks.lab import Lab
from benchmarks.load import Requests
from benchmarks.plan import Measured, Plan, Run, better, run_of
from benchmarks.rows import Table
from benchmarks.systems import System, fill_ovasabi, start_ovasabi
from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM, Role
from ovasabi.kernel.store import partitions
from ovasabi.security.keys import create_key

DATABASE = "ovasabi_growth"
MONTHS_AHEAD = 2
OPERATIONS = ("get", "create")
# In bulk, since campaigns by the thousand are only the scenery here: entries, registry rows, their own, and events.
CAMPAIGNS = """
WITH made AS MATERIALIZED (
  SELECT next_id() AS id, nextval('campaign_number')::int AS number FROM generate_series(1, {count})),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, id_uuid(id), number, 'campaign', 'growth-' || number, id_time(id), id_time(id) FROM made),
entered AS (
  INSERT INTO campaign_directory (number, slug, state) SELECT number, 'growth-' || number, 'active' FROM made),
stored AS (
  INSERT INTO service_campaign_main (campaign_id, created_at, master_id, slug, title, updated_at)
  SELECT number, id_time(id), id, 'growth-' || number, 'growth-' || number, id_time(id) FROM made)
INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, payload)
SELECT 'audit', id_time(id), id, number, id, 'campaign:create:v1:success', 1, 'system:bench', '{{}}' FROM made"""


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> list[Run]:
    """Grows one database step by step, and measures after each."""
    url = await lab.fresh(DATABASE, of_ovasabi=True)
    table = Table.of_ovasabi(plan.rows, lab.campaign)
    await fill_ovasabi(lab, DATABASE, table)
    database = await Database(url, readers=1, writers=1, timeout_seconds=300).open()
    try:
        key = await create_key(database.url, "growth", Role.WRITER, campaign_id=PLATFORM)
        runs: list[Run] = []
        present = 1
        for campaigns, leaves in plan.growth:
            begun = time.monotonic()
            await _grow(lab, database, present, campaigns, leaves)
            await lab.settle(DATABASE)
            present = campaigns
            seconds = time.monotonic() - begun
            say(f"growth: {campaigns:,} campaigns, {await _leaves(database):,} leaves, grown in {seconds:.0f} s")
            runs += _measure_at(lab, plan, start_ovasabi(lab, url, key, f"growth-{campaigns}"), table, campaigns)
            say(", ".join(f"{run.operation} {run.rate:,.0f}/s" for run in runs[-len(OPERATIONS) :]))
        return runs
    finally:
        await database.close()


async def _grow(lab: Lab, database: Database, present: int, campaigns: int, leaves: int) -> None:
    """Adds campaigns until there are so many, and gives some of them partitions until there are so many leaves."""
    await lab.execute(DATABASE, CAMPAIGNS.format(count=campaigns - present))
    number = await _leaves(database)
    # The newest are given partitions: the pool, where the measured campaign lives, stays as it is.
    for campaign in range(campaigns, 1, -1):
        if number >= leaves:
            break
        number += await partitions.dedicate(database, campaign, MONTHS_AHEAD)


async def _leaves(database: Database) -> int:
    rows = await database.read("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'")
    return int(rows[0][0])


def _measure_at(lab: Lab, plan: Plan, system: System, table: Table, campaigns: int) -> list[Run]:
    """Gets and creates in the first campaign, always the same."""
    try:
        system.prefixes, system.ids = [f"/v1/campaigns/{table.campaign}"], [table.ids]
        requests = Requests(system, lab.folder)
        runs: list[Run] = []
        for operation in OPERATIONS:
            if plan.warm_up:
                requests.measure(operation, plan.growth_connections, plan.warm_up)
            best: Measured | None = None
            for _ in range(plan.rounds):
                best = better(best, requests.measure(operation, plan.growth_connections, plan.seconds))
            assert best
            name = f"growth_{operation}_{campaigns}"
            runs.append(run_of("ovasabi", name, plan.growth_connections, best, system.rss_mb))
        return runs
    finally:
        system.stop()
