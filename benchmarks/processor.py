"""Processor time: who used how much of it, from /proc."""

import os
import resource
from contextlib import suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> float:
    """Seconds of processor time that a process has used, with those of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICK


def used_by_children(pid: int) -> float:
    """As `used`, of a process and all that it has started: PostgreSQL's backends and its background work."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = used(pid)
    for child in children:
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended, such as autovacuum's
            found += used(int(child))
    return found


def children_of_ours() -> float:
    """Seconds of processor time of the programs that we ran to their end, such as wrk."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def all_used(server: int, postgresql: int) -> tuple[float, float, float]:
    """Seconds that the server, PostgreSQL and the load generators have used so far."""
    return used(server), used_by_children(postgresql), children_of_ours()
