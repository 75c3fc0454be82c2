"""A watch ends within seconds when its key is revoked or expires, whether or not it has anything to deliver."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest

from ovasabi.database.connection import Database
from ovasabi.gateway import admission
from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import create_key, revoke_key
from tests.integration.gateway.conftest import Clients
from tests.integration.gateway.grpc_fixtures import Wire, refused

PROCESSES = ("one", "three")

End = Callable[[str, float], Awaitable[str]]


@pytest.fixture(params=["http", "grpc"])
def end_of(request: pytest.FixtureRequest, addresses: tuple[str, str], clients: Clients, shop: str) -> End:
    """Watches with a key until the watch ends; answers the reason."""

    async def over_http(key: str, heartbeat: float) -> str:
        client, query = clients.with_header(f"Bearer {key}"), {"heartbeat_seconds": heartbeat}
        async with client.stream("GET", f"{shop}/events:watch", params=query) as answer:
            assert answer.status_code == 200
            return (await answer.aread()).decode().rpartition("event: error")[2]

    async def over_grpc(key: str, heartbeat: float) -> str:
        slug = shop.rpartition("/")[2]
        async with Wire(addresses[1], f"Bearer {key}") as wire:
            try:
                async for _ in wire.start("WatchEvents", campaign=slug, heartbeat_seconds=heartbeat):
                    pass
            except grpc.aio.AioRpcError as error:
                return refused(error).code
        return "none"

    return {"http": over_http, "grpc": over_grpc}[request.param]


async def test_a_revoked_key_ends_its_watch(database: Database, end_of: End) -> None:
    revoked, other = [await create_key(database.url, "w", Role.READER) for _ in range(2)]
    watching, going_on = asyncio.create_task(end_of(revoked, 0.2)), asyncio.create_task(end_of(other, 0.2))
    await asyncio.sleep(1)
    assert not watching.done()
    await revoke_key(database.url, revoked.split("_")[1])
    assert "unauthenticated" in await asyncio.wait_for(watching, 10)
    assert not going_on.done()
    going_on.cancel()


async def test_an_expired_key_ends_its_watch(database: Database, end_of: End) -> None:
    key = await create_key(database.url, "w", Role.READER, expires_at=datetime.now(UTC) + timedelta(seconds=2))
    assert "unauthenticated" in await asyncio.wait_for(end_of(key, 0.2), 10)


@pytest.mark.inside
async def test_a_revoked_key_ends_a_watch_that_has_no_silence_for_a_heartbeat(
    database: Database, operator: httpx.AsyncClient, shop: str, end_of: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "RECHECK_SECONDS", 0.5)
    key = await create_key(database.url, "w", Role.READER)
    watching = asyncio.create_task(end_of(key, 300))
    await asyncio.sleep(1)
    await revoke_key(database.url, key.split("_")[1])
    async with asyncio.timeout(20):
        while not watching.done():
            await operator.post(f"{shop}/contents", json={"title": "steady"})
    assert "unauthenticated" in await watching


async def test_a_revoked_key_ends_a_watch_that_has_nothing_to_deliver(database: Database, end_of: End) -> None:
    key = await create_key(database.url, "w", Role.READER)
    watching = asyncio.create_task(end_of(key, 300))
    await asyncio.sleep(1)
    await revoke_key(database.url, key.split("_")[1])
    assert "unauthenticated" in await asyncio.wait_for(watching, 20)
