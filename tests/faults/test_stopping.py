"""A process stops in bounded time although its server hangs; readiness turns first, and requests under way end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.embedded import EmbeddedServer
from tests.conftest import fresh
from tests.e2e.conftest import free_port
from tests.faults.proxy import Proxy, proxied
from tests.integration.gateway.conftest import Clients
from tests.integration.kernel.fixtures import admin, eventually, pools, waiting

PATH = "/v1/campaigns/shop/contents"


class Serving(msgspec.Struct):
    """`ovasabi serve` in a process of its own, behind a proxy."""

    url: str
    proxy: Proxy
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    async def ended(self, seconds: float) -> int:
        """The exit code, which must come in time."""
        return await asyncio.wait_for(self.process.wait(), seconds)

    async def begin(self) -> "list[asyncio.Task[httpx.Response]]":
        """Begins calls that the server does not answer."""
        calls = [
            asyncio.create_task(self.client.get(PATH)),
            asyncio.create_task(self.client.post(PATH, json={"title": "x"})),
            asyncio.create_task(self.client.post(f"{PATH}:import", json={})),
            asyncio.create_task(self.client.get("/v1/campaigns/shop/events:watch")),
        ]
        await asyncio.sleep(1)
        return calls


@pytest_asyncio.fixture
async def program(server: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Serving]:
    """The process, with a campaign."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with (
        fresh(server, "ovasabi") as url,
        pools(url, readers=1, writers=1) as database,
        proxied(url) as proxy,
        await Clients(address, database).client() as client,
    ):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
        environment |= {"OVASABI_HOME": str(tmp_path), "OVASABI_DATABASE_URL": proxy.url(url)}
        environment |= {"OVASABI_PORT": str(port), "OVASABI_GRPC_PORT": str(free_port())}
        environment["OVASABI_REQUEST_TIMEOUT_SECONDS"] = "300"  # a stop does not last so long
        command = (sys.executable, "-m", "ovasabi", "serve")
        process = await asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True)

        async def ready() -> bool:
            assert process.returncode is None
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, 60)
        made = await client.post("/v1/campaigns", json={"slug": "shop", "title": "shop"})
        assert made.status_code == 201, made.text
        yield Serving(url, proxy, process, client)
        proxy.resume()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_stop_while_the_server_hangs_is_bounded(program: Serving) -> None:
    program.proxy.hang()
    calls = await program.begin()
    program.process.send_signal(signal.SIGTERM)
    assert await program.ended(30) in (0, 1)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    told = [answer for answer in answers if isinstance(answer, httpx.Response) and answer.status_code >= 500]
    assert {answer.status_code for answer in told} == {503}, answers
    assert all(answer.json()["correlation_id"] for answer in told)


async def test_a_second_signal_ends_the_process_at_once(program: Serving) -> None:
    program.proxy.hang()
    calls = await program.begin()
    program.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(1)
    program.process.send_signal(signal.SIGTERM)
    assert await program.ended(5) == 128 + signal.SIGTERM
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.versions("18")
async def test_readiness_turns_first_and_requests_under_way_end_before_the_port_is_closed(program: Serving) -> None:
    async with admin(program.url) as connection:
        await connection.execute("BEGIN; LOCK TABLE service_content_main")
        slow = asyncio.create_task(program.client.post(PATH, json={"title": "slow"}))
        await eventually(waiting(program.url))
        program.process.send_signal(signal.SIGTERM)

        async def turned() -> bool:
            answer = await program.client.get("/readyz")
            return answer.status_code == 503 and "it is stopping" in answer.json()["detail"]

        await eventually(turned)
        assert (await program.client.get("/v1/campaigns/shop")).status_code == 200, "new ones are still answered"
        await connection.execute("ROLLBACK")
        assert (await slow).status_code == 201
    assert await program.ended(20) == 0
    with pytest.raises(httpx.TransportError):
        await program.client.get("/readyz")
