"""A connection that is lost with a call on it: a read is sent once more, a write is for its caller to repeat."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.gateway.grpc.remote import PeerUnavailable, Remote
from ovasabi.kernel.call.context import acting
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.runtime import Platform
from ovasabi.system.events.service import EventWatch
from tests.integration.gateway.grpc_fixtures import on_grpc, within
from tests.integration.gateway.test_grpc_hung_peers import BOUND, remote_of
from tests.integration.gateway.test_grpc_peers import SECRET, caller, free_port

ELSEWHERE = {"content", "events"}


class Wires:
    """What lies between two processes: it loses the connection on which the next calls come, as often as it is told."""

    def __init__(self, port: int) -> None:
        self._port, self.losses = port, 0

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards a connection, until it is to be lost."""
        from_there, to_there = await asyncio.open_connection("127.0.0.1", self._port)
        both = [asyncio.create_task(self._forward(reader, to_there, losing=True))]
        both += [asyncio.create_task(self._forward(from_there, writer))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, to_there):
            end.transport.abort()
        await asyncio.gather(*both, return_exceptions=True)

    async def _forward(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, losing: bool = False) -> None:
        while sent := await source.read(1 << 16):
            if losing and self.losses:
                self.losses -= 1
                return
            to.write(sent)


@pytest_asyncio.fixture
async def pair(database_url: str, database: Database, tmp_path: Path) -> AsyncIterator[tuple[Platform, Wires]]:
    """A platform that has two of its services in another one, and what lies between them."""
    here, between = free_port(), free_port()
    async with AsyncExitStack() as opened:
        _, address = await opened.enter_async_context(
            on_grpc(
                database_url, tmp_path / "there",
                services=",".join(ELSEWHERE), peers=f"*=127.0.0.1:{here}", peer_secret=SECRET,
            )
        )  # fmt: skip
        wires = Wires(int(address.rpartition(":")[2]))
        listening = await asyncio.start_server(wires.connect, "127.0.0.1", between)
        opened.callback(listening.close)
        asking, _ = await opened.enter_async_context(
            on_grpc(
                database_url, tmp_path / "here", here,
                services=",".join(sorted(set(discover()) - ELSEWHERE)),
                peers=" ".join(f"{name}=127.0.0.1:{between}" for name in ELSEWHERE), peer_secret=SECRET,
            )
        )  # fmt: skip
        yield asking, wires


async def test_a_call_that_changes_nothing_survives_the_loss_of_its_connection(
    pair: tuple[Platform, Wires], campaign: int
) -> None:
    platform, wires = pair
    contents, events = remote_of(platform, "contents"), remote_of(platform, "events")
    (watch,) = [rpc.method for rpc in events._rpcs.values() if rpc.streams]
    with acting(caller(campaign)):
        made = await contents.create({"title": "kept"})
        wires.losses = 1
        assert (await within(BOUND, contents.get(made.id))).title == "kept"
        wires.losses = 1
        assert [found.id for found in (await within(BOUND, contents.list(ListRequest()))).items] == [made.id]
        wires.losses = 1
        watching = await within(BOUND, events.stream(Call(watch, request=EventWatch(after="now"))))
        assert wires.losses == 0
        await within(BOUND, anext(watching))
        await watching.aclose()


async def reconnected(contents: Remote, id: int) -> Any:
    """An entity, as soon as the other process is reached again: after failures, gRPC pauses before it connects."""
    while True:
        try:
            return await contents.get(id)
        except PeerUnavailable:
            await asyncio.sleep(0.1)


async def test_a_connection_that_is_lost_again_is_told_and_a_write_is_not_repeated(
    pair: tuple[Platform, Wires], campaign: int
) -> None:
    platform, wires = pair
    contents = remote_of(platform, "contents")
    with acting(caller(campaign)):
        made = await contents.create({"title": "kept"})
        wires.losses = 100
        with pytest.raises(PeerUnavailable):
            await within(BOUND, contents.get(made.id))
        wires.losses = 0
        assert (await within(BOUND, reconnected(contents, made.id))).version == 1
        wires.losses = 1
        with pytest.raises(PeerUnavailable):
            await within(BOUND, contents.update(made.id, {"title": "other"}))
        assert (await within(BOUND, reconnected(contents, made.id))).version == 1
