"""The results: ratios with their goals, as a table, as JSON, and as the tables of the documentation."""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.plan import OPERATIONS, Run

USERS = ("server µs", "PostgreSQL µs", "load µs")
READS = ("get", "list", "search")
BEGIN, END = "<!-- results: written by make bench -->", "<!-- end of results -->"
CREATE_GOALS = {"limit": (1.0, 0.6), "fastapi": (10.0, 6.0)}
READ_GOAL, IMPORT_GOAL, GROWTH_GOAL, FOLLOWED_GOAL = 6.0, 0.5, 1 / 1.2, 0.85


class Results(msgspec.Struct, frozen=True):
    """What is kept: every measurement, how the systems compare, and on what it was measured."""

    runs: list[Run]
    ratios: dict[str, float]
    machine: dict[str, int | str]
    costs: dict[str, float] = {}
    """Of a method call, and of what is generated at start; the unit is the end of the name."""


def ratios_of(runs: list[Run]) -> dict[str, float]:
    """OVASABI's rates beside the others', at the most connections; growth beside its own smallest size."""
    rates = {(run.operation, run.system, run.connections): run.rate for run in runs if run.rate}
    found: dict[str, float] = {}
    for operation in OPERATIONS:
        own = [c for name, system, c in rates if (name, system) == (operation, "ovasabi")]
        if not own:
            continue
        most = max(own)
        for peer in ("limit", "fastapi", "litestar"):
            # The limit is at its best client count, whichever that is.
            theirs = [
                rate for (name, system, c), rate in rates.items()
                if (name, system) == (operation, peer) and (peer == "limit" or c == most)
            ]  # fmt: skip
            if theirs:
                found[f"{operation}_{most}_vs_{peer}"] = rates[operation, "ovasabi", most] / max(theirs)
    if ("import", "limit", 0) in rates:
        found["import_vs_copy"] = rates["import", "ovasabi", 0] / rates["import", "limit", 0]
    followed = {run.operation: run.rate for run in runs if run.operation in ("create_alone", "create_followed")}
    if len(followed) == 2:
        found["create_followed_vs_alone"] = followed["create_followed"] / followed["create_alone"]
    found |= _doors(rates)
    smallest: dict[str, tuple[str, float]] = {}
    for run in runs:
        if run.operation.startswith("growth_"):
            _, operation, size = run.operation.split("_")
            if operation in smallest:
                first, rate = smallest[operation]
                found[f"growth_{operation}_{size}_vs_{first}"] = run.rate / rate
            smallest.setdefault(operation, (size, run.rate))
    return {name: round(ratio, 3) for name, ratio in found.items()}


def _doors(rates: dict[tuple[str, str, int], float]) -> dict[str, float]:
    """gRPC beside HTTP, at as many calls at once."""
    return {
        f"{operation}_{calls}_vs_rest": rate / rates[operation, "ovasabi", calls]
        for (operation, system, calls), rate in rates.items()
        if system == "ovasabi-grpc" and (operation, "ovasabi", calls) in rates
    }


def goal_of(name: str) -> tuple[float, float] | None:
    """The goal of a ratio and the least that will do; None if it has none."""
    if name.startswith("growth_"):
        return GROWTH_GOAL, GROWTH_GOAL
    if name == "create_followed_vs_alone":
        return FOLLOWED_GOAL, FOLLOWED_GOAL
    if name == "import_vs_copy":
        return IMPORT_GOAL, IMPORT_GOAL
    measured, _, peer = name.rpartition("_vs_")
    operation = measured.rpartition("_")[0]
    if operation == "create" and peer in CREATE_GOALS:
        return CREATE_GOALS[peer]
    return (READ_GOAL, READ_GOAL) if operation in READS and peer == "fastapi" else None


def verdict(name: str, ratio: float) -> tuple[str, str]:
    """The goal as text, and whether it is met."""
    goal = goal_of(name)
    if goal is None:
        return "", ""
    wanted, least = goal
    met = "met" if ratio >= wanted else "not met" if ratio < least else f"not met, but the least of {least:g}"
    return f"{wanted:.2g}", met


def tables(results: Results) -> list[tuple[str, list[str], list[list[str]]]]:
    """Everything as tables: a title, the heads, and the rows."""
    ordered = sorted(results.runs, key=_order)
    cells = [_cells(run) for run in ordered]
    used = [_used(run) for run in ordered if run.used_us]
    heads = ["operation", "connections", "system", "a second", "p50 ms", "p99 ms", "memory MB", "errors"]
    compared = [[name, f"{ratio:.2f}", *verdict(name, ratio)] for name, ratio in results.ratios.items()]
    return [
        ("Ratios", ["ratio", "is", "goal", "goal met"], compared),
        ("Measurements", heads, cells),
        (
            "CPU time per response",
            ["operation", "at once", "system", "server µs", "PostgreSQL µs", "load µs"],
            used,
        ),
        ("Costs", ["what", "is", "above the kernel"], _costs(results.costs)),
        ("Machine", ["what", "which"], [[name, str(value)] for name, value in results.machine.items()]),
    ]


def show(results: Results) -> None:
    """Prints the tables, the ratios last, since they are what is asked for."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=110)
    for title, heads, rows in reversed([table for table in tables(results) if table[2]]):
        table = Table(title=title, title_justify="left")
        for place, head in enumerate(heads):
            table.add_column(head, justify="right" if rows[0][place][:1].isdigit() else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write(results: Results, path: Path) -> None:
    """Writes the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def write_docs(results: Results, page: Path) -> None:
    """Puts the tables between the marks of the page."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    parts = []
    for title, heads, rows in tables(results):
        lines = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
        parts.append("\n".join([f"### {title}", "", *lines]))
    page.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")


def _cells(run: Run) -> list[str]:
    rate = f"{run.rate:,.0f}" if run.rate else ""
    numbers = [_number(run.p50_ms), _number(run.p99_ms), _number(run.rss_mb, 0), str(run.errors)]
    return [run.operation.replace("_", " "), str(run.connections or ""), run.system, rate, *numbers]


def _used(run: Run) -> list[str]:
    used = run.used_us
    shares = [] if used is None else [_number(part, 0) for part in (used.server, used.postgresql, used.load)]
    return [run.operation.replace("_", " "), str(run.connections), run.system, *shares]


def _costs(costs: dict[str, float]) -> list[list[str]]:
    """Each cost; of a method call, also what it is above the same call of the kernel alone."""
    rows = []
    for name, value in costs.items():
        kernel = costs.get(f"{name.partition('_')[0]}_kernel_us") if name.endswith("_us") else None
        rows.append([name, f"{value:,g}", "" if kernel is None else f"{value - kernel:,.1f}"])
    return rows


def _order(run: Run) -> tuple[int, int, int, int]:
    """By operation; growth by its sizes; then connections, with OVASABI and its limit before the peers."""
    known = ["rest", *OPERATIONS, "door_get", "door_create", "create_alone", "create_followed", "import"]
    place = known.index(run.operation) if run.operation in known else len(known)
    size = int(run.operation.rsplit("_", 1)[1]) if place == len(known) else 0
    return place, size, run.connections, ["limit", "ovasabi", "ovasabi-grpc", "fastapi", "litestar"].index(run.system)


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
