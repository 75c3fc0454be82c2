"""Two PostgreSQL servers, home and another one, and a process that serves the campaigns of both."""

import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.database.embedded import VERSION, EmbeddedServer
from ovasabi.settings import Settings
from tests.binaries import second
from tests.conftest import QUICK
from tests.integration.gateway.conftest import serving
from tests.integration.kernel.fixtures import admin

OTHER = 1


class Place(msgspec.Struct):
    """Both servers, and a client with the operator's key."""

    home: EmbeddedServer
    other: EmbeddedServer
    folder: Path
    client: httpx.AsyncClient
    slugs: dict[int, str]
    """A campaign on each of the servers."""

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return Settings(home=self.folder, shards=f"{OTHER}={self.other.url()}")

    def path(self, number: int) -> str:
        """The path of the campaign on a server."""
        return f"/v1/campaigns/{self.slugs[number]}"

    async def value(self, number: int, query: str, *args: Any) -> Any:
        """A value from one of the servers."""
        async with admin((self.other if number else self.home).url()) as connection:
            return await connection.fetchval(query, *args)


async def new_campaign(client: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    """A new campaign, wherever it is placed."""
    slug = f"s{uuid.uuid4().hex[:10]}"
    answer = await client.post("/v1/campaigns", json={"slug": slug, "title": f"Title of {slug}", **values})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest_asyncio.fixture(scope="module", params=["18", "15"], ids=["pg18", "pg15"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The two servers and the process, with a campaign on each."""
    options = QUICK | {"wal_level": "logical", "max_prepared_transactions": "2"}
    version, binaries = second() if request.param == "15" else (VERSION, None)
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="ovasabi-test-")))
        servers = [EmbeddedServer(folder / name, version, binaries, options=options) for name in "ho"]
        for server in servers:
            await running.enter_async_context(server)
        home, other = servers
        settings = Settings(home=folder, shards=f"{OTHER}={other.url()}")
        prepared = await runtime.prepare(home.url(), settings)
        address, _ = await running.enter_async_context(serving(home.url(), folder, shards=f"{OTHER}={other.url()}"))
        headers = {"authorization": f"Bearer {prepared.operator_key}"}
        client = await running.enter_async_context(httpx.AsyncClient(base_url=address, headers=headers, timeout=30))
        made = Place(home, other, folder, client, {})
        while len(made.slugs) < len(servers):
            campaign = await new_campaign(client)
            shard = "SELECT shard FROM campaign_directory WHERE number = $1"
            made.slugs[await made.value(0, shard, campaign["campaign_id"])] = campaign["slug"]
        yield made
