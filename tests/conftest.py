"""Real servers for every test that asks: the embedded PostgreSQL 18, and Debian's 15; never a stand-in."""

import asyncio
import runpy
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.bundled import VERSION
from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import Context, acting, on_platform, system_context
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle import migrations, partitions
from tests import costs, touched
from tests.binaries import second

QUICK = {"autovacuum": "off", "fsync": "off"}
"""Statistics that change only when a test says so; and nothing here outlives the machine."""

discover()
runpy.run_path(str(Path(__file__).parents[1] / "clients/python/unasync.py"), run_name="__main__")
# Before any test imports the client: its synchronous half is not in git.


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Registers what runs beside the tests."""
    for plugin in (costs, touched):
        pluginmanager.register(plugin)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the versions of PostgreSQL that a test, or else its module, does not name."""
    left_out = [item for item in items if isinstance(item, pytest.Function) and _needless(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _needless(item: pytest.Function) -> bool:
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec is not None else {}
    version = params.get("server", params.get("place"))
    # What the doors call is tested on all versions elsewhere.
    usual = ("18",) if "gateway" in item.path.parts else ("18", "15")
    named = item.get_closest_marker("versions")
    return version is not None and version not in (usual if named is None else named.args)


class Servers:
    """The servers of a session, each started when a test first asks for its version; its database is a template."""

    def __init__(self, running: AsyncExitStack) -> None:
        self._running = running
        self._started: dict[str, EmbeddedServer] = {}

    async def of(self, version: str) -> EmbeddedServer:
        """The server of a version; one that is missing fails the test, it is not skipped."""
        if version not in self._started:
            self._started[version] = await self._running.enter_async_context(_serving(version))
        return self._started[version]


@asynccontextmanager
async def _serving(version: str) -> AsyncIterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory(prefix="ovasabi-test-") as folder:
        number, binaries = second() if version == "15" else (VERSION, None)
        async with EmbeddedServer(Path(folder) / "postgres", number, binaries, options=QUICK) as server:
            await migrations.upgrade(server.url())
            opened = await Database(server.url(), readers=1, writers=1).open()
            await partitions.ensure(opened, 2)
            await opened.close()
            yield server


@pytest_asyncio.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    """The servers, which end with the session."""
    async with AsyncExitStack() as running:
        yield Servers(running)


@pytest_asyncio.fixture(scope="session", params=["18", "15"], ids=["pg18", "pg15"])
async def server(request: pytest.FixtureRequest, servers: Servers) -> EmbeddedServer:
    """A running server of each version that is promised."""
    return await servers.of(request.param)


@asynccontextmanager
async def fresh(server: EmbeddedServer, template: str | None = None) -> AsyncIterator[str]:
    """The address of a database of the caller's own: empty, or as its template is, such as "ovasabi"."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        yield server.url(name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module")
async def database_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database with the months of now, shared by the tests of a module: each makes campaigns of its own."""
    async with fresh(server, "ovasabi") as url:
        yield url


@pytest_asyncio.fixture
async def empty_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it."""
    async with fresh(server) as url:
        yield url


@pytest_asyncio.fixture
async def migrated_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with fresh(server, "ovasabi") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open pools on the shared database."""
    opened = await Database(database_url, readers=4, writers=8).open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module")
async def registry(database: Database) -> ServiceRegistry:
    """The services on the shared database."""
    return ServiceRegistry(database)


async def new_campaign(registry: ServiceRegistry, **values: object) -> int:
    """A campaign of one's own; answers its number."""
    with acting(system_context("test")), on_platform("tests make campaigns"):
        slug = f"t{uuid.uuid4().hex[:12]}"
        campaign = await registry.named("campaign").create({"slug": slug, "title": slug, **values})
        return int(campaign.campaign_id)


@pytest_asyncio.fixture
async def campaign(registry: ServiceRegistry) -> int:
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
