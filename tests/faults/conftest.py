"""A process of the platform, and its server behind a proxy."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.embedded import EmbeddedServer
from tests.conftest import fresh
from tests.e2e.conftest import Program, free_port
from tests.faults.proxy import Proxy, proxied
from tests.integration.gateway.conftest import Clients, serving
from tests.integration.kernel.fixtures import pools


class Behind(msgspec.Struct):
    """The process, by a client with an admin's key, and what is between it and its server."""

    url: str
    proxy: Proxy
    client: httpx.AsyncClient
    path: str = "/v1/campaigns/shop/contents"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program on an empty home; stopped at the end, whatever happened."""
    made = Program(tmp_path / "home", free_port())
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest_asyncio.fixture
async def behind(server: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Behind]:
    """The process on a database of the test's own, with a campaign."""
    async with AsyncExitStack() as running:
        url = await running.enter_async_context(fresh(server, "ovasabi"))
        database = await running.enter_async_context(pools(url, readers=1, writers=1))
        proxy = await running.enter_async_context(proxied(url))
        options = {"pool_size": 4, "write_pool_size": 4, "request_timeout_seconds": 5}
        address, _ = await running.enter_async_context(serving(proxy.url(url), tmp_path, **options))
        clients = Clients(address, database)
        client = await running.enter_async_context(await clients.client())
        made = await client.post("/v1/campaigns", json={"slug": "shop", "title": "shop"})
        assert made.status_code == 201, made.text
        yield Behind(url, proxy, client)
        proxy.resume()
