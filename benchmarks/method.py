"""What a method call costs above the kernel, measured by a process that has the platform to itself."""

import asyncio
import subprocess
import sys
from collections.abc import Callable

import msgspec

from benchmarks.lab import Lab, clean_environment
from benchmarks.plan import BenchmarkError, Plan
from benchmarks.rows import Table
from benchmarks.systems import ROOT, fill_ovasabi

DATABASE = "ovasabi_method"


class Given(msgspec.Struct, frozen=True):
    """What the process is given: repeats and rounds, a database, a key, and contents that are there."""

    url: str
    key: str
    home: str
    repeats: int
    rounds: int
    ids: list[int]


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> dict[str, float]:
    """The costs by name."""
    url = await lab.fresh(DATABASE, of_ovasabi=True)
    table = Table.of_ovasabi(plan.rows, lab.campaign)
    await fill_ovasabi(lab, DATABASE, table)
    say("method: calls by ways of different lengths")
    given = Given(url, lab.key, str(lab.folder / "home"), plan.repeats, plan.repeated_rounds, table.ids)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "benchmarks.layers"],
        input=msgspec.json.encode(given),
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"The calls of the part method failed: {done.stderr.decode()[-2000:]}")
    found = msgspec.json.decode(done.stdout, type=dict[str, float])
    if found["generated_in_1000_requests"]:
        raise BenchmarkError(f"Something was generated during requests: {found}")
    return found
