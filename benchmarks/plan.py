"""What a run does, how long and on how much; and what comes out of each measurement."""

import msgspec

# What adds rows comes last: it must not slow the reads down.
OPERATIONS = ("get", "list", "search", "search_new", "create")
MOST_ONLY = ("search_new",)
"""What is measured with the most connections only."""
PARTS = (*OPERATIONS, "grpc", "method", "follow", "import", "growth", "profile")
PAGE_SIZE = 20


class BenchmarkError(Exception):
    """Something that makes the benchmarks impossible, or their results invalid, in a sentence."""


class Plan(msgspec.Struct, frozen=True):
    """The sizes of a run: seconds of a measurement, rounds of which the best counts, rows, connections.

    `repeats` of a method call are timed at once, and of so many rounds the median counts.
    """

    seconds: int = 4
    rounds: int = 2
    warm_up: int = 1
    rows: int = 10_000
    connections: tuple[int, ...] = (1, 16, 64)
    clients: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    import_rows: int = 50_000
    growth: tuple[tuple[int, int], ...] = ((10, 0), (1_000, 1_000), (10_000, 3_000))
    growth_connections: int = 16
    door_seconds: int = 2
    repeats: int = 500
    repeated_rounds: int = 7


FULL = Plan()
SMOKE = Plan(
    seconds=1, rounds=1, warm_up=0, rows=200, connections=(2,), clients=(2,), import_rows=500, growth=((3, 0), (6, 60)),
    growth_connections=2, door_seconds=1, repeats=20, repeated_rounds=1,
)  # fmt: skip


class Used(msgspec.Struct, frozen=True):
    """Microseconds of processor time for each answer, by who used them."""

    server: float
    postgresql: float
    load: float


class Measured(msgspec.Struct, frozen=True):
    """What a load generator saw: answers a second, latencies, and what was not answered as it should be."""

    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0
    used: Used | None = None
    asked: int = 0


class Run(msgspec.Struct, frozen=True):
    """One line of the results. `connections` of the limit are pgbench's clients; of an import it is nothing."""

    system: str
    operation: str
    connections: int
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    rss_mb: float | None
    errors: int
    used_us: Used | None = None


def run_of(system: str, operation: str, connections: int, best: Measured, rss_mb: float | None = None) -> Run:
    """A measurement as it is written down."""
    times = best.rate, best.p50_ms, best.p99_ms
    return Run(system, operation, connections, *times, rss_mb, best.errors, best.used)


def better(one: Measured | None, other: Measured) -> Measured:
    """The faster of two rounds, since noise only ever slows; with the errors of both, since none may be lost."""
    if one is None:
        return other
    best = one if one.rate >= other.rate else other
    return msgspec.structs.replace(best, errors=one.errors + other.errors)
