"""The platform in three processes, each with some of the services, on one database."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ovasabi.discovery import discover

PARTS = ("content,search", "product,quotes")
"""What the first two run; the third one runs the rest."""


@asynccontextmanager
async def three_processes(database_url: str, home: Path) -> AsyncIterator[tuple[str, str]]:
    """Answers where the first one listens for HTTP and for gRPC: it has all services, two thirds of them elsewhere."""
    rest = set(discover()) - {name for part in PARTS for name in part.split(",")}
    parts = [*PARTS, ",".join(sorted(rest))]
    ports = [(free_port(), free_port()) for _ in parts]
    peers = {name: grpc for part, (_, grpc) in zip(parts, ports, strict=True) for name in part.split(",")}
    common = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")},
        "OVASABI_HOME": str(home),
        "OVASABI_DATABASE_URL": database_url,
        "OVASABI_POOL_SIZE": "2",
        "OVASABI_WRITE_POOL_SIZE": "4",
        "OVASABI_PEER_SECRET": secrets.token_urlsafe(32),
        "OVASABI_PEERS": " ".join(f"{name}=127.0.0.1:{port}" for name, port in peers.items()),
    }
    async with AsyncExitStack() as running:
        for part, (http, grpc) in zip(parts, ports, strict=True):
            own = {"OVASABI_PORT": str(http), "OVASABI_GRPC_PORT": str(grpc)}
            await running.enter_async_context(serving(part, common | own))
        yield f"http://127.0.0.1:{ports[0][0]}", f"127.0.0.1:{ports[0][1]}"


@asynccontextmanager
async def serving(services: str, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """One process, which serves some of the services, and ends in good order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ovasabi", "serve", "--services", services, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(60):
        while not (lines and lines[-1].startswith(b"OVASABI is listening")):  # it may warn before
            lines.append(await process.stdout.readline())
            assert lines[-1], b"".join(lines)
    reading = asyncio.create_task(process.stdout.read())
    try:
        yield process
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0, await reading
        assert b"Traceback" not in await reading


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
