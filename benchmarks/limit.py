"""The limit: pgbench with OVASABI's own single-row create and get, prepared, in the application's role under RLS."""

import re
import subprocess
from itertools import count
from pathlib import Path

import msgspec

from benchmarks.lab import Lab, clean_environment
from benchmarks.plan import BenchmarkError, Measured
from benchmarks.rows import EVENT, Table, drafts
from benchmarks.systems import fill_ovasabi
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.ids import EPOCH
from ovasabi.kernel.statements.writing import Statements
from ovasabi.services.content.entity import Content

DATABASE = "ovasabi_limit"
BODIES = 1_000
MODES = ("force_custom_plan", "force_generic_plan")
# The settings of OVASABI's own sessions; see database/connection.py.
SESSION = (
    "-c role=ovasabi_app -c search_path=public,pg_temp -c jit=off -c enable_seqscan=off"
    " -c max_parallel_workers_per_gather=0"
)
# A value that pgbench can send: its variables are numbers and texts, so an array of one is put together in SQL.
CREATE = {
    1: ":scope", 2: ":scope", 4: ":none", 5: ":none", 6: ":event", 7: ":actor", 8: ":correlation", 9: ":none",
    3: """ARRAY[(SELECT body FROM bench_body WHERE n = :n) || ', "slug": "p' || :unique || '"}']""",
}  # fmt: skip
GET = {1: ":scope", 2: ":scope", 3: "ARRAY[to_timestamp(:at)]", 4: "ARRAY[:id::bigint]"}


class Limit:
    """pgbench on a database of OVASABI's form."""

    def __init__(self, lab: Lab, table: Table) -> None:
        self.lab, self.table = lab, table
        self.sql = Statements(type_of(Content))
        self.modes: dict[str, str] = {}
        self._logs = count()

    @classmethod
    async def prepare(cls, lab: Lab, rows: int) -> "Limit":
        """The database with its rows, and the bodies of the rows to come."""
        await lab.fresh(DATABASE, of_ovasabi=True)
        table = Table.of_ovasabi(rows, lab.campaign)
        await fill_ovasabi(lab, DATABASE, table)
        bodies = ", ".join(f"({n}, '{_body(draft)}')" for n, draft in enumerate(drafts(BODIES, "new")))
        await lab.execute(
            DATABASE,
            "CREATE TABLE bench_body (n int PRIMARY KEY, body text)",
            f"INSERT INTO bench_body VALUES {bodies}",
            "GRANT SELECT ON bench_body TO ovasabi_app",
            "VACUUM ANALYZE bench_body",
        )
        return cls(lab, table)

    def choose_mode(self, operation: str, seconds: int) -> str:
        """The faster way of planning, which the limit is then measured with."""
        rates = {mode: self._run(operation, 8, seconds, mode).rate for mode in MODES}
        self.modes[operation] = max(rates, key=lambda mode: rates[mode])
        return self.modes[operation]

    def measure(self, operation: str, clients: int, seconds: int) -> Measured:
        """Loads PostgreSQL with one operation for some seconds."""
        return self._run(operation, clients, seconds, self.modes[operation])

    def _run(self, operation: str, clients: int, seconds: int, mode: str) -> Measured:
        log = self.lab.folder / f"pgbench-{next(self._logs)}"
        command = [self.lab.binaries / "pgbench", "--no-vacuum", "-M", "prepared", "-f", self._script(operation)]
        command += [f"-c{clients}", "-j1", f"-T{seconds}", "-l", f"--log-prefix={log}", "--sampling-rate=0.2"]
        variables = {
            "scope": f"{{{self.lab.campaign}}}", "none": "{NULL}",
            "event": f"{{{EVENT}}}", "actor": "{key:bench}", "correlation": "{0123456789abcdef012345}",
        }  # fmt: skip
        command += [f"-D{name}={value}" for name, value in variables.items()]
        options = f"{SESSION} -c plan_cache_mode={mode}"
        done = subprocess.run(
            [*command, self.lab.server.url(DATABASE)],
            env=clean_environment(PGOPTIONS=options),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"pgbench failed at {operation}: {done.stderr[-2000:]}")
        rate = re.search(r"tps = ([0-9.]+)", done.stdout)
        failed = re.search(r"failed transactions: ([0-9]+)", done.stdout)
        assert rate
        latencies = sorted(_latencies(log))
        p50, p99 = (latencies[int(len(latencies) * part)] / 1000 for part in (0.5, 0.99))
        return Measured(round(float(rate[1]), 1), p50, p99, int(failed[1]) if failed else 0)

    def _script(self, operation: str) -> Path:
        path = self.lab.folder / f"{operation}.pgbench"
        if operation == "create":
            numbers = [f"\\set n random(0, {BODIES - 1})", "\\set unique random(1, 9000000000000000000)"]
            sql, values = self.sql.create, CREATE
        else:
            start = self.table.start
            numbers = [f"\\set k random(0, {self.table.count - 1})", f"\\set id ({start} + :k) * 4096"]
            numbers += [f"\\set at ({int(EPOCH.timestamp() * 1000) + start} + :k) / 1000.0"]
            sql, values = self.sql.get, GET
        # What stands in quotes with a colon in it would be taken for a variable.
        sql = re.sub(r"'(\w+):(\w+)'", r"E'\1\\072\2'", sql)
        sql = re.sub(r"\$(\d+)", lambda match: values[int(match[1])], sql)
        path.write_text("\n".join([*numbers, sql.strip() + ";", ""]))
        return path


def _body(draft: dict[str, object]) -> str:
    """A row as the repository completes it, left open for the slug."""
    initial = {field.column: field.initial() for field in type_of(Content).stored}
    row = initial | draft | {"metadata": {}}
    del row["slug"]
    return msgspec.json.encode(row).decode()[:-1]


def _latencies(log: Path) -> list[int]:
    """Microseconds of the sampled transactions: the third column of pgbench's log."""
    return [int(line.split()[2]) for file in log.parent.glob(f"{log.name}.*") for line in file.open()] or [0]
