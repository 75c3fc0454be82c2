"""A peer that hangs costs its callers their own time at most, and a dead connection is found out: on real processes."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.errors import DeadlineExceeded
from ovasabi.gateway.grpc import remote
from ovasabi.gateway.grpc.remote import PeerUnavailable, Remote
from ovasabi.kernel.call.context import acting
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.runtime import Platform
from ovasabi.system.events.service import EventWatch
from tests.integration.gateway.grpc_fixtures import on_grpc, within
from tests.integration.gateway.processes import free_port, serving
from tests.integration.gateway.test_grpc_peers import caller

ELSEWHERE = ("content", "events")
BOUND = 30
"""Seconds within which a call ends that has one or two: on any machine, and long before the test's own end."""


def remote_of(platform: Platform, name: str) -> Remote:
    """A service as a platform has it that does not run it."""
    found = platform.registry.services[name]
    assert isinstance(found, Remote)
    return found


class Elsewhere:
    """A platform here, and the process that has two of its services."""

    def __init__(self, platform: Platform, process: asyncio.subprocess.Process) -> None:
        self.platform, self._process = platform, process

    def service(self, name: str) -> Remote:
        """One of its services, as the platform here has it."""
        return remote_of(self.platform, name)

    @asynccontextmanager
    async def hanging(self) -> AsyncIterator[None]:
        """The process does nothing for as long as the block runs, though its connections stay."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@pytest_asyncio.fixture
async def pair(
    database_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Elsewhere]:
    """Both, running; a call may take two seconds, and a connection is held to be alive for as long."""
    names = ("keepalive_time_ms", "keepalive_timeout_ms", "http2.ping_timeout_ms")
    quick = {f"grpc.{name}": 1_000 for name in names}
    assert quick.keys() < dict(remote._OPTIONS).keys()
    monkeypatch.setattr(remote, "_OPTIONS", list((dict(remote._OPTIONS) | quick).items()))
    here, there, secret = free_port(), free_port(), secrets.token_urlsafe(32)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")} | {
        "OVASABI_HOME": str(tmp_path / "there"),
        "OVASABI_DATABASE_URL": database_url,
        "OVASABI_PORT": str(free_port()),
        "OVASABI_GRPC_PORT": str(there),
        "OVASABI_PEERS": f"*=127.0.0.1:{here}",
        "OVASABI_PEER_SECRET": secret,
    }
    settings: dict[str, Any] = {
        "services": ",".join(sorted(set(discover()) - set(ELSEWHERE))),
        "peers": " ".join(f"{name}=127.0.0.1:{there}" for name in ELSEWHERE),
        "peer_secret": secret,
        "request_timeout_seconds": 2,
    }
    async with (
        serving(",".join(ELSEWHERE), environment) as process,
        on_grpc(database_url, tmp_path / "here", here, **settings) as (platform, _),
    ):
        yield Elsewhere(platform, process)


async def test_a_call_of_a_peer_that_hangs_ends_with_its_callers_deadline(pair: Elsewhere, campaign: int) -> None:
    contents = pair.service("contents")
    with acting(caller(campaign)):
        made = await contents.create({"title": "kept"})
    async with pair.hanging():
        with acting(caller(campaign, seconds=0.5)), pytest.raises(DeadlineExceeded):
            await within(BOUND, contents.get(made.id))
    with acting(caller(campaign, seconds=BOUND)):
        assert (await contents.get(made.id)).title == "kept"


async def test_a_call_without_a_deadline_has_the_time_that_the_platform_gives_a_call(
    pair: Elsewhere, campaign: int
) -> None:
    contents = pair.service("contents")
    with acting(caller(campaign)):
        await contents.list(ListRequest())
        async with pair.hanging():
            # Whichever comes first: its time is used up, or the connection is found to be dead.
            with pytest.raises((DeadlineExceeded, PeerUnavailable)):
                await within(BOUND, contents.list(ListRequest()))


async def test_a_peer_that_never_answers_the_first_word_is_given_up(
    database_url: str, database: Database, tmp_path: Path, campaign: int
) -> None:
    # It takes connections, as a process that hangs does, and says nothing, not even of HTTP/2.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {
            "services": ",".join(sorted(set(discover()) - set(ELSEWHERE))),
            "peers": " ".join(f"{name}=127.0.0.1:{silent.getsockname()[1]}" for name in ELSEWHERE),
            "peer_secret": secrets.token_urlsafe(32),
            "request_timeout_seconds": 1,
        }
        async with on_grpc(database_url, tmp_path, **settings) as (platform, _):
            contents = platform.registry.named("content")
            with acting(caller(campaign)), pytest.raises((DeadlineExceeded, PeerUnavailable)):
                await within(BOUND, contents.list(ListRequest()))
            with acting(caller(campaign, seconds=0.3)), pytest.raises((DeadlineExceeded, PeerUnavailable)):
                await within(BOUND, contents.get(17))
            watching = _watch(platform, "now")
            with acting(caller(campaign)), pytest.raises((DeadlineExceeded, PeerUnavailable)):
                await within(BOUND, watching())


async def test_a_watch_of_a_peer_that_hangs_ends_as_unavailable(pair: Elsewhere, campaign: int) -> None:
    with acting(caller(campaign)):
        answers = await _watch(pair.platform, "now")()
        first = await within(BOUND, anext(answers))
        assert first.event is None
        async with pair.hanging():
            with pytest.raises(PeerUnavailable):
                await within(BOUND, anext(answers))
        again = await _watch(pair.platform, "now")()
        await within(BOUND, anext(again))
        await again.aclose()


def _watch(platform: Platform, after: str) -> Any:
    events = remote_of(platform, "events")
    (method,) = [rpc.method for rpc in events._rpcs.values() if rpc.streams]
    return lambda: events.stream(Call(method, request=EventWatch(after=after, heartbeat_seconds=300)))
