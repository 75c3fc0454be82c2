"""The log of a process that serves: errors of both doors with their calls, in either format, and no secrets."""

import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import create_key
from tests.conftest import fresh
from tests.integration.gateway.grpc_fixtures import Wire
from tests.integration.gateway.processes import free_port
from tests.integration.kernel.fixtures import admin

pytestmark = pytest.mark.versions("18", "15")

TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) ([\w.]+) \[([^\]]+)\] (.*)")


class Program:
    """`ovasabi serve` on a database of the test's own."""

    def __init__(self, url: str, home: Path, **settings: str) -> None:
        self.url, self.home, self.settings = url, home, settings
        self.http, self.grpc = free_port(), free_port()
        self.secrets = [secrets.token_urlsafe(32), secrets.token_urlsafe(32)]
        self.key, self.campaign, self.log = "", 0, ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves for the duration of the block; then `log` is what it has written to standard error."""
        self.key = await create_key(self.url, "test", Role.ADMIN)
        ours = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
        environment = ours | {
            "OVASABI_HOME": str(self.home), "OVASABI_DATABASE_URL": self.url, "OVASABI_PORT": str(self.http),
            "OVASABI_GRPC_PORT": str(self.grpc), "OVASABI_PEER_SECRET": self.secrets[0],
            "OVASABI_SECRET_KEY": self.secrets[1], **self.settings,
        }  # fmt: skip
        written = self.home / "log"
        with written.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ovasabi", "serve", env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=log
            )
        try:
            await self._ready()
            yield
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self.log = written.read_text()

    async def _ready(self) -> None:
        async with asyncio.timeout(60), self.client() as client:
            while True:
                try:
                    await client.get("/healthz")
                    return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    def client(self) -> httpx.AsyncClient:
        """An HTTP client with a key of the whole platform."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http}", headers=headers, timeout=30)

    async def fail(self) -> None:
        """Makes calls at both doors that fail for a reason that only the log has."""
        async with self.client() as client:
            made = await client.post("/v1/campaigns", json={"slug": "shop", "title": "shop"})
            self.campaign = made.json()["campaign_id"]
        async with admin(self.url) as connection:
            await connection.execute("REVOKE SELECT ON service_content_main FROM ovasabi_app")
        path = f"/v1/campaigns/{self.campaign}/contents"
        forged = f"{path}/1%0A2026-11-30T07:00:00.000Z%20INFO%20forged%20{self.key}"
        async with self.client() as client:
            answer = await client.get(forged, headers={"x-correlation-id": "followed-over-http"})
            assert answer.status_code in (404, 500)
            answer = await client.get(path, headers={"x-correlation-id": "followed-over-http"})
            assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        async with Wire(f"127.0.0.1:{self.grpc}", f"Bearer {self.key}") as wire:
            told = await wire.ask(
                "ListContents", campaign=str(self.campaign), metadata=[("x-correlation-id", "followed-over-grpc")]
            )
            assert told.code == "internal"


@asynccontextmanager
async def failing(server: Any, home: Path, **settings: str) -> AsyncIterator[Program]:
    """A program at which calls of both doors have failed, and which has ended."""
    async with fresh(server, "ovasabi") as url:
        program = Program(url, home, **settings)
        async with program.running():
            await program.fail()
        yield program


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_errors_are_logged_as_json_with_the_call_that_they_are_of(
    server: Any, tmp_path: Path, level: str
) -> None:
    async with failing(server, tmp_path, OVASABI_LOG_FORMAT="json", OVASABI_LOG_LEVEL=level) as program:
        records = [json.loads(line) for line in program.log.splitlines()]
        for correlation in ("followed-over-http", "followed-over-grpc"):
            found = [each for each in records if each["correlation_id"] == correlation and each["level"] == "error"]
            assert found, program.log
            for each in found:
                assert each["campaign"] == program.campaign
                assert each["message"].endswith(" failed")
                assert each["exception"]["type"] == "asyncpg.exceptions.InsufficientPrivilegeError"
                assert "permission denied for table service_content_main" in each["exception"]["stack"]
        check_secrets(program)


async def test_errors_are_logged_as_text_with_the_call_that_they_are_of(server: Any, tmp_path: Path) -> None:
    async with failing(server, tmp_path) as program:
        lines = [line for line in program.log.splitlines() if not line.startswith("  ")]
        found = [TEXT.fullmatch(line) for line in lines]
        assert all(found), program.log
        errors = {match[3] for match in found if match is not None and match[1] == "ERROR"}
        assert errors == {
            f"{each}, campaign {program.campaign}" for each in ("followed-over-http", "followed-over-grpc")
        }
        check_secrets(program)


def check_secrets(program: Program) -> None:
    """Fails if the log has a secret, a header or a query of the process or of its callers."""
    assert program.log
    for secret in (*program.secrets, program.key, program.key.rpartition("_")[2], "authorization: Bearer ovk"):
        assert secret not in program.log
