"""Real servers for every test that asks: the embedded PostgreSQL 18 and 16, and Debian's 15; never a stand-in."""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.context import Context, acting, on_platform, system_context
from ovasabi.kernel.service import Registry
from ovasabi.lifecycle import migrations, partitions
from ovasabi.services import discover

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

discover()


@pytest_asyncio.fixture(scope="session", params=["18", "15"], ids=["pg18", "pg15"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[EmbeddedServer]:
    """A running server of each version that is promised; a missing one fails the test, it is not skipped."""
    if request.param == "15" and not (DEBIAN_15 / "postgres").exists():
        pytest.fail(f"PostgreSQL 15 is not at {DEBIAN_15}: install Debian's postgresql-15")
    with tempfile.TemporaryDirectory(prefix="ovasabi-test-") as folder:
        binaries = DEBIAN_15 if request.param == "15" else None
        started = EmbeddedServer(Path(folder) / "postgres", version=int(request.param), binaries=binaries)
        await started.start()
        try:
            yield started
        finally:
            await started.stop()


@pytest_asyncio.fixture(scope="session")
async def database_url(server: EmbeddedServer) -> str:
    """A migrated database, shared by the tests of a server: each test makes its own campaigns in it."""
    url = server.url()
    await migrations.upgrade(url)
    return url


@pytest_asyncio.fixture
async def empty_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield server.url(name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open pools on the shared database, with the months of now."""
    opened = await Database(database_url, readers=4, writers=8).open()
    await partitions.ensure(opened, 2)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session")
async def registry(database: Database) -> Registry:
    """The services on the shared database."""
    return Registry(database)


async def new_campaign(registry: Registry, **values: object) -> int:
    """A campaign of one's own; answers its number."""
    with acting(system_context("test")), on_platform("tests make campaigns"):
        slug = f"t{uuid.uuid4().hex[:12]}"
        campaign = await registry.named("campaign").create({"slug": slug, "title": slug, **values})
        return int(campaign.campaign_id)


@pytest_asyncio.fixture
async def campaign(registry: Registry) -> int:
    """The number of a new campaign."""
    return await new_campaign(registry)


@pytest.fixture
def context(campaign: int) -> Context:
    """A context in the new campaign; enter it with `acting`."""
    return system_context("test", campaign)


async def eventually(condition: object, seconds: float = 10) -> None:
    """Waits until `await condition()` is true, for a bounded time."""
    for _ in range(int(seconds / 0.05)):
        if await condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true in time")
