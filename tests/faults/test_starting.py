"""A database that is not there yet is waited for, with a bound; and the embedded server is started again and again."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from ovasabi import runtime
from ovasabi.database import embedded
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.retry import Policy
from ovasabi.errors import DatabaseUnavailable
from tests.command_line import run_async
from tests.e2e.conftest import free_port
from tests.faults.proxy import proxied
from tests.integration.kernel.fixtures import admin, caught, eventually

NOBODY = "postgresql://ovasabi@127.0.0.1:{}/ovasabi"


async def test_a_database_that_comes_later_is_waited_for(database_url: str) -> None:
    told: list[str] = []
    async with proxied(database_url) as proxy:
        proxy.hang()
        refused = asyncio.create_task(caught(runtime.until_available(proxy.url(database_url), 60, told.append)))
        await asyncio.sleep(0.5)
        proxy.cut()  # as a server that is still starting

        async def waits() -> bool:
            return len(told) == 1

        await eventually(waits)
        proxy.resume()
        assert await asyncio.wait_for(refused, 60) is None
    assert told[0].startswith("waiting up to 60 seconds for the database: ")
    assert told[1:] == ["the database is available"]


@pytest.mark.versions("18")
@pytest.mark.parametrize("command", ["serve", "up"])
async def test_the_wait_ends_with_one_clear_error(database_url: str, tmp_path: Path, command: str) -> None:
    url = NOBODY.format(free_port())
    env = {"OVASABI_HOME": str(tmp_path), "OVASABI_DATABASE_URL": url, "OVASABI_DATABASE_WAIT_SECONDS": "1"}
    env |= {"OVASABI_PORT": str(free_port()), "OVASABI_GRPC_PORT": "0", "PATH": ""}
    done = await run_async(command, env=env)
    assert done.returncode == 1
    first, *rest = done.stderr.splitlines()
    assert first.startswith("waiting up to 1 seconds for the database: ")
    assert rest[0] == "error: The database is unavailable: no connection could be made."


async def test_without_a_wait_it_is_tried_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told: list[str] = []
    with pytest.raises(DatabaseUnavailable):
        await runtime.until_available(NOBODY.format(port), 0, told.append)
    assert told == []


@pytest.mark.versions("18")
async def test_an_embedded_server_that_cannot_start_is_tried_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "RESTARTS", Policy(first=0.05, longest=0.1))
    told: list[str] = []
    async with EmbeddedServer(tmp_path / "postgres", progress=told.append) as server:
        keeper = asyncio.create_task(server.keep_running())
        settings = server.data / "postgresql.conf"
        good = settings.read_text()
        settings.write_text(good + "\nno_such_setting = 1\n")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

        async def tried() -> bool:
            assert not keeper.done(), keeper
            return len([text for text in told if "tried again" in text]) > 4

        await eventually(tried, 60)
        settings.write_text(good)

        async def back() -> bool:
            return not isinstance(await caught(_ask(server)), Exception)

        await eventually(back, 60)
        keeper.cancel()


async def _ask(server: EmbeddedServer) -> None:
    async with admin(server.url()) as connection:
        await connection.fetchval("SELECT 1")
