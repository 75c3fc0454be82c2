"""Where a get and a create spend their time: the processor time of each process, and the parts of the Python one."""

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.load import Requests
from benchmarks.picture import stacked_bars
from benchmarks.plan import Plan
from benchmarks.processor import all_used
from benchmarks.systems import PEERS, ROOT, System, start

PICTURE = ROOT / "docs" / "pictures" / "where-time-goes.svg"
OPERATIONS = ("get", "create")
CONNECTIONS = 64
SAMPLES_A_SECOND = 200
# The innermost frame that one of these names is what a sample counts for: the standard library works for its callers.
GROUPS = {
    "key, campaign, request": (
        "ovasabi/kernel/keys",
        "ovasabi/kernel/context",
        "gateway/requests",
        "campaign/directory",
    ),
    "gateway": ("ovasabi/gateway",),
    "service and kernel": ("ovasabi/",),
    "driver (asyncpg)": ("asyncpg/",),
    "framework (Litestar)": ("litestar/",),
    "HTTP and sockets (uvicorn, uvloop)": ("uvicorn/", "httptools/", "uvloop/"),
}
OTHER = "others"


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None], picture: Path) -> None:
    """Loads OVASABI with each operation, watches who works meanwhile, and draws it."""
    system = await start(lab, "ovasabi", plan.rows)
    try:
        requests = Requests(system, lab.folder)
        bars = {}
        for operation in OPERATIONS:
            if plan.warm_up:
                requests.measure(operation, CONNECTIONS, plan.warm_up)
            bars[operation] = _watched(lab, system, requests, operation, plan.seconds * 2)
            parts = ", ".join(f"{name} {part:.0f}" for name, part in bars[operation].items())
            say(f"{operation}: microseconds of processor time for each: {parts}")
        stacked_bars(picture, f"Processor time of a request at {CONNECTIONS} connections, microseconds", bars)
        say(f"drawn: {picture.name}")
    finally:
        system.stop()


def _watched(lab: Lab, system: System, requests: Requests, operation: str, seconds: int) -> dict[str, float]:
    """Microseconds of processor time for each request, by who used them."""
    stacks = lab.folder / f"stacks.{operation}"
    assert lab.server.pid
    before = all_used(system.process.pid, lab.server.pid)
    with _sampler(system.process.pid, seconds, stacks) as sampler:
        measured = requests.measure(operation, CONNECTIONS, seconds)
        after = all_used(system.process.pid, lab.server.pid)
        sampler.wait(30)
    python, postgresql, wrk = (now - then for now, then in zip(after, before, strict=True))
    count = measured.rate * seconds / 1e6
    samples = _grouped(stacks)
    shares = {name: python * samples[name] / samples.total() / count for name in [*GROUPS, OTHER]}
    return shares | {"PostgreSQL": postgresql / count, "load (wrk)": wrk / count}


def _sampler(pid: int, seconds: int, stacks: Path) -> "subprocess.Popen[bytes]":
    """py-spy, which reads the stacks from outside and leaves out the moments in which the process waits."""
    command = [PEERS / "bin" / "py-spy", "record", "--nonblocking", "--format", "raw", "--output", stacks]
    command += ["--duration", str(seconds), "--rate", str(SAMPLES_A_SECOND), "--pid", str(pid)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _grouped(stacks: Path) -> Counter[str]:
    """Samples by group; a line is `outer (f:1);inner (g:2) count`. Where py-spy may not look, all is of others."""
    found: Counter[str] = Counter()
    lines = stacks.read_text().splitlines() if stacks.exists() else []
    for line in lines or [" 1"]:
        stack, _, count = line.rpartition(" ")
        groups = (group for frame in reversed(stack.split(";")) for group in _groups_of(frame))
        found[next(groups, OTHER)] += int(count)
    return found


def _groups_of(frame: str) -> list[str]:
    return [group for group, names in GROUPS.items() if any(name in frame for name in names)][:1]
