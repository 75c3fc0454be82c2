"""`python -m benchmarks`: runs the benchmarks, or one part of them, and writes down what came out."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benchmarks import doors, following, growth, importing, method, over_http, profile, report
from benchmarks.lab import laboratory
from benchmarks.load import require_wrk, wrk_version
from benchmarks.plan import FULL, OPERATIONS, PARTS, SMOKE, BenchmarkError, Plan, Run
from benchmarks.systems import PEERS, ROOT, require_peers

RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
PART_RESULTS = ROOT / "build" / "bench-results.json"
VERSIONS = "import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in %r}))"


def main() -> int:
    """Parses the command line, runs, reports; answers 1 if a measurement is invalid."""
    options = _options()
    plan = SMOKE if options.smoke else FULL
    if options.seconds:
        plan = msgspec.structs.replace(plan, seconds=options.seconds)
    begun = time.monotonic()
    try:
        require_wrk()
        require_peers()
        results = asyncio.run(_run(plan, options))
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    whole = options.only is None and not options.smoke
    if results.runs or results.costs:  # the profile is a picture, and no measurement
        report.show(results)
        report.write(results, options.output or (RESULTS if whole else PART_RESULTS))
    if whole:
        report.write_docs(results, PAGE)
    print(f"It took {(time.monotonic() - begun) / 60:.1f} minutes.")
    invalid = [run for run in results.runs if run.errors]
    for run in invalid:
        print(f"error: {run.system} had {run.errors} errors at {run.operation}: the run is invalid.", file=sys.stderr)
    return 1 if invalid else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; it leaves the documentation as it is")
    parser.add_argument("--seconds", type=int, help="how long each measurement takes")
    parser.add_argument("--smoke", action="store_true", help="tiny and short, to see that everything works")
    parser.add_argument("--output", type=Path, help="where the results go, as JSON")
    return parser.parse_args()


async def _run(plan: Plan, options: argparse.Namespace) -> report.Results:
    runs: list[Run] = []
    costs: dict[str, float] = {}
    only = options.only
    operations = [operation for operation in OPERATIONS if only in (None, operation)]
    async with laboratory() as lab:
        machine = _machine(await lab.check_durable())
        if operations:
            runs += await over_http.measure(lab, plan, operations, _say)
        if only in (None, "grpc"):
            runs += await doors.measure(lab, plan, _say)
        if only in (None, "method"):
            costs = await method.measure(lab, plan, _say)
        if only in (None, "follow"):
            runs += await following.measure(lab, plan, _say)
        if only in (None, "import"):
            runs += await importing.measure(lab, plan, _say)
        if only in (None, "growth"):
            runs += await growth.measure(lab, plan, _say)
        if only == "profile" or options.smoke:
            await profile.measure(lab, plan, _say, lab.folder / "picture.svg" if options.smoke else profile.PICTURE)
    return report.Results(runs, report.ratios_of(runs), machine, costs)


def _machine(postgresql: str) -> dict[str, int | str]:
    """Cores and versions, and nothing that tells whose machine it is."""
    from ovasabi import __version__

    names = ["fastapi", "litestar", "advanced-alchemy", "sqlalchemy", "asyncpg", "uvicorn"]
    asked = subprocess.run([PEERS / "bin" / "python", "-c", VERSIONS % names], capture_output=True, check=True)
    own = {"python": platform.python_version(), "postgresql": postgresql, "ovasabi": __version__, "wrk": wrk_version()}
    return {"cores": os.cpu_count() or 0, **own, **json.loads(asked.stdout)}


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
