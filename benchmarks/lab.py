"""One PostgreSQL for everybody, in a temporary directory, and a fresh database for each system."""

import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from benchmarks.plan import BenchmarkError
from ovasabi.database.bundled import bundled_binaries
from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import Role, acting, on_platform, system_context
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle import migrations, partitions
from ovasabi.security.keys import create_key

CAMPAIGN = "bench"
TEMPLATE = "bench_template"
# All systems keep their pools open while pgbench has its 64 clients; `ovasabi up` allows 100.
MORE_CONNECTIONS = {"max_connections": "200"}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class Lab:
    """A running server, the folder of the run, and the template that OVASABI's databases are made from."""

    def __init__(self, folder: Path, server: EmbeddedServer) -> None:
        self.folder, self.server = folder, server
        self.binaries = bundled_binaries()
        self.key = ""
        self.campaign = 0

    async def fresh(self, name: str, *, of_ovasabi: bool = False) -> str:
        """A new database; with OVASABI's schema, the campaign and its key if it is to be one of OVASABI's."""
        form = f" TEMPLATE {TEMPLATE}" if of_ovasabi else ""
        await self.execute("postgres", f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}{form}")
        return self.server.url(name)

    async def execute(self, database: str, *statements: str) -> None:
        """Runs statements as the superuser, each by itself."""
        connection = await asyncpg.connect(self.server.url(database))
        try:
            for statement in statements:
                await connection.execute(statement, timeout=300)
        finally:
            await connection.close()

    async def fetch(self, database: str, query: str) -> list[asyncpg.Record]:
        """The rows of a query, as the superuser."""
        connection = await asyncpg.connect(self.server.url(database))
        try:
            return await connection.fetch(query, timeout=300)
        finally:
            await connection.close()

    def psql(self, database: str, script: Path) -> None:
        """Runs a script; the first error ends it."""
        command = [self.binaries / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", script]
        subprocess.run(
            [*command, self.server.url(database)], check=True, stdout=subprocess.DEVNULL, env=clean_environment()
        )

    async def settle(self, database: str) -> None:
        """What time would bring: statistics, a visibility map, and nothing left to flush."""
        await self.execute(database, "VACUUM ANALYZE", "CHECKPOINT")

    async def make_template(self) -> None:
        """OVASABI's schema and months, one campaign, and a key that is confined to it."""
        await self.execute("postgres", f"CREATE DATABASE {TEMPLATE}")
        url = self.server.url(TEMPLATE)
        await migrations.upgrade(url)
        database = await Database(url, readers=1, writers=1).open()
        try:
            # The rows are of the last minute, which just after midnight of a first day is the month before.
            for ahead, today in ((2, datetime.now(UTC)), (0, datetime.now(UTC) - timedelta(minutes=5))):
                await partitions.apply(database, await partitions.plan(database, ahead, today.date()))
            with acting(system_context("bench")), on_platform("the benchmark makes its campaign"):
                made = (
                    await ServiceRegistry(database).named("campaign").create({"slug": CAMPAIGN, "title": "Benchmark"})
                )
            self.campaign = made.campaign_id
            self.key = await create_key(database.url, "bench", Role.WRITER, campaign_id=self.campaign)
        finally:
            await database.close()

    async def check_durable(self) -> str:
        """Makes sure that a commit is on disk when it is answered; answers PostgreSQL's version."""
        connection = await asyncpg.connect(self.server.url())
        try:
            for name, wanted in DURABLE.items():
                found = await connection.fetchval(f"SHOW {name}")
                if found != wanted:
                    raise BenchmarkError(f"PostgreSQL's {name} is {found}: commits would not be durable.")
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()


@asynccontextmanager
async def laboratory() -> AsyncIterator[Lab]:
    """A lab on an embedded server as `ovasabi up` starts it; nothing of it is left afterwards."""
    discover()
    with tempfile.TemporaryDirectory(prefix="ovasabi-bench-") as folder:
        async with EmbeddedServer(Path(folder) / "postgres", options=MORE_CONNECTIONS) as server:
            lab = Lab(Path(folder), server)
            await lab.check_durable()
            await lab.make_template()
            yield lab


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without settings of OVASABI or PostgreSQL that could lead elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVASABI_", "PG"))}
    return kept | more
