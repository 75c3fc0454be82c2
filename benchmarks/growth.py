"""The cost as work grows: the same gets and creates while campaigns and their partitions multiply around them."""

import time
from collections.abc import Callable

from benchmarks.lab import Lab
from benchmarks.load import Requests
from benchmarks.plan import Measured, Plan, Run, better, run_of
from benchmarks.rows import Table
from benchmarks.systems import System, fill_ovasabi, start_ovasabi
from ovasabi.database.connection import Database
from ovasabi.kernel import placement
from ovasabi.kernel.context import PLATFORM, Role, acting, on_platform, system_context
from ovasabi.kernel.keys import create_key
from ovasabi.kernel.rows import Draft
from ovasabi.kernel.service import Registry

DATABASE = "ovasabi_growth"
BATCH = 500
MONTHS_AHEAD = 2
OPERATIONS = ("get", "create")


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> list[Run]:
    """Grows one database step by step, and measures after each."""
    url = await lab.fresh(DATABASE, of_ovasabi=True)
    table = Table.of_ovasabi(plan.rows, lab.campaign)
    await fill_ovasabi(lab, DATABASE, table)
    database = await Database(url, readers=1, writers=1, timeout_seconds=300).open()
    try:
        key = await create_key(database, "growth", Role.WRITER, campaign_id=PLATFORM)
        runs: list[Run] = []
        present = 1
        for campaigns, leaves in plan.growth:
            begun = time.monotonic()
            await _grow(database, present, campaigns, leaves)
            await lab.settle(DATABASE)
            present = campaigns
            seconds = time.monotonic() - begun
            say(f"growth: {campaigns:,} campaigns, {await _leaves(database):,} leaves, grown in {seconds:.0f} s")
            runs += _measure_at(lab, plan, start_ovasabi(lab, url, key, f"growth-{campaigns}"), table, campaigns)
            say(", ".join(f"{run.operation} {run.rate:,.0f}/s" for run in runs[-len(OPERATIONS) :]))
        return runs
    finally:
        await database.close()


async def _grow(database: Database, present: int, campaigns: int, leaves: int) -> None:
    """Adds campaigns until there are so many, and gives some of them partitions until there are so many leaves."""
    number = await _leaves(database)
    with acting(system_context("bench")), on_platform("the benchmark makes campaigns"):
        repository = Registry(database).named("campaign").repository
        names = [f"growth-{n}" for n in range(present + 1, campaigns + 1)]
        for start in range(0, len(names), BATCH):
            drafts = [Draft({"slug": name, "title": name}) for name in names[start : start + BATCH]]
            assert all(isinstance(made, repository.cls) for made in await repository.create_many(drafts))
    # The newest are given partitions: the pool, where the measured campaign lives, stays as it is.
    for campaign in range(campaigns, 1, -1):
        if number >= leaves:
            break
        number += await placement.dedicate(database, campaign, MONTHS_AHEAD)


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
