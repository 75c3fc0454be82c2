"""A running HTTP server on the shared database, with clients for its keys."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from ovasabi.cli.listen import serve_http
from ovasabi.database.connection import Database
from ovasabi.gateway.grpc.server import serving_grpc
from ovasabi.gateway.http.app import create_app
from ovasabi.kernel.call.context import Role
from ovasabi.runtime import running
from ovasabi.security.keys import create_key
from ovasabi.settings import Settings
from tests.integration.gateway.grpc_fixtures import contract
from tests.integration.gateway.processes import three_processes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module on as many processes as its PROCESSES say: once in one, and again in three."""
    processes = getattr(metafunc.module, "PROCESSES", ())
    if processes and "addresses" in metafunc.fixturenames:
        inside = metafunc.definition.get_closest_marker("inside")
        metafunc.parametrize("addresses", ("one",) if inside else processes, indirect=True, scope="module")


@asynccontextmanager
async def serving(database_url: str, home: Path, **options: Any) -> AsyncIterator[tuple[str, str]]:
    """A server on a database; answers where it listens for HTTP and for gRPC."""
    settings = Settings(home=home, **{"pool_size": 4, "write_pool_size": 8, **options})
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with running(database_url, settings) as platform:
        ready = asyncio.Event()
        serving = asyncio.create_task(serve_http(create_app(platform), listener, ready.set, _nothing_to_close))
        await asyncio.wait_for(ready.wait(), 10)
        async with serving_grpc(platform, contract(), "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", f"127.0.0.1:{port}"
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def _nothing_to_close() -> None:
    pass


@pytest_asyncio.fixture(scope="module")
async def addresses(
    request: pytest.FixtureRequest, database_url: str, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, str]]:
    """Where the server listens for HTTP and for gRPC; the platform is one process, or `three` where a module asks."""
    make = three_processes if getattr(request, "param", "one") == "three" else serving
    async with make(database_url, Path(tmp_path_factory.mktemp("home"))) as listens:
        yield listens


@pytest.fixture(scope="module")
def address(addresses: tuple[str, str]) -> str:
    """Where the server listens for HTTP."""
    return addresses[0]


class Clients:
    """Makes HTTP clients with keys of their own."""

    def __init__(self, address: str, database: Database) -> None:
        self.address, self.database = address, database
        self.opened: list[httpx.AsyncClient] = []

    async def client(self, role: Role = Role.ADMIN, campaign_id: int = 0) -> httpx.AsyncClient:
        """A client whose key has a role, on the platform or confined to a campaign."""
        key = await create_key(self.database.url, "test", role, campaign_id=campaign_id)
        return self.with_header(f"Bearer {key}")

    def with_header(self, authorization: str | None) -> httpx.AsyncClient:
        """A client that sends just this header."""
        headers = {} if authorization is None else {"authorization": authorization}
        self.opened.append(httpx.AsyncClient(base_url=self.address, headers=headers, timeout=30))
        return self.opened[-1]


@pytest_asyncio.fixture(scope="module")
async def clients(address: str, database: Database) -> AsyncIterator[Clients]:
    """Makes clients, and closes them at the end."""
    made = Clients(address, database)
    yield made
    for client in made.opened:
        await client.aclose()


@pytest_asyncio.fixture(scope="module")
async def operator(clients: Clients) -> httpx.AsyncClient:
    """A client with an admin key of the platform."""
    return await clients.client()


@pytest_asyncio.fixture
async def shop(operator: httpx.AsyncClient) -> str:
    """The path of a new campaign."""
    slug = f"h{uuid.uuid4().hex[:10]}"
    made = await operator.post("/v1/campaigns", json={"slug": slug, "title": slug})
    assert made.status_code == 201, made.text
    return f"/v1/campaigns/{slug}"
