"""The operations: limit, OVASABI and peers in turn within each round, so that a noisy moment meets all alike."""

import asyncio
from collections.abc import Callable

from benchmarks.lab import Lab
from benchmarks.limit import Limit
from benchmarks.load import Requests
from benchmarks.plan import MOST_ONLY, Measured, Plan, Run, better, run_of
from benchmarks.systems import NAMES, System, start

WITH_LIMIT = ("get", "create")
Cell = tuple[str, int]


async def measure(lab: Lab, plan: Plan, operations: list[str], say: Callable[[str], None]) -> list[Run]:
    """All systems at once are up, and one at a time is loaded."""
    systems: list[System] = []
    try:
        for name in NAMES:
            say(f"starting {name}")
            systems.append(await start(lab, name, plan.rows))
        limit = await Limit.prepare(lab, plan.rows)
        await asyncio.sleep(plan.warm_up)
        runs = [run_of(system.name, "rest", 0, Measured(0.0), system.rss_mb) for system in systems]
        requests = [Requests(system, lab.folder) for system in systems]
        for operation in operations:
            runs += _operation(operation, plan, requests, limit, say)
        return runs
    finally:
        for system in systems:
            system.stop()


def _operation(
    operation: str, plan: Plan, requests: list[Requests], limit: Limit, say: Callable[[str], None]
) -> list[Run]:
    """One operation: warmed up, then all rounds of all connection counts."""
    if plan.warm_up:
        for one in requests:
            one.measure(operation, 16, plan.warm_up)
    if operation in WITH_LIMIT:
        say(f"{operation}: the limit is faster with {limit.choose_mode(operation, plan.warm_up or 1)}")
    measured = plan.connections[-1:] if operation in MOST_ONLY else plan.connections
    best: dict[Cell, Measured] = {}
    memory: dict[Cell, float] = {}
    for number in range(plan.rounds):
        for connections in sorted({*plan.connections, *plan.clients}):
            if operation in WITH_LIMIT and connections in plan.clients:
                cell = ("limit", connections)
                best[cell] = better(best.get(cell), limit.measure(operation, connections, plan.seconds))
            if connections not in measured:
                continue
            for one in requests:
                cell = (one.system.name, connections)
                best[cell] = better(best.get(cell), one.measure(operation, connections, plan.seconds))
                memory[cell] = one.system.rss_mb
            rates = ", ".join(f"{name} {best[name, c].rate:,.0f}" for name, c in _at(best, connections))
            say(f"{operation}, {connections} connections, best of {number + 1}: {rates}")
    return [run_of(name, operation, c, found, memory.get((name, c))) for (name, c), found in best.items()]


def _at(best: dict[Cell, Measured], connections: int) -> list[Cell]:
    return [cell for cell in best if cell[1] == connections]
