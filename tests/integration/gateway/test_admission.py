"""What a key or a campaign asks for beyond its share is refused at once, and a deadline covers the whole call."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import httpx
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import create_key
from tests.conftest import eventually
from tests.integration.gateway.conftest import serving
from tests.integration.gateway.grpc_fixtures import Wire

MOST, BURST = 12, 20
SHARE = MOST // 2
DEADLINE = 0.5
SLACK = 1.5
"""How late a call with a deadline may end on a slow machine: much earlier than any other limit."""

Ask = Callable[[int], Awaitable[str]]
"""The n-th of a burst of different calls; answers "ok" or the code of the error."""


class Client:
    """One key at both doors, in one campaign."""

    def __init__(self, http: httpx.AsyncClient, wire: Wire, campaign: str) -> None:
        self.http, self.wire, self.campaign = http, wire, campaign
        self.path = f"/v1/campaigns/{campaign}"

    def in_campaign(self, campaign: str) -> "Client":
        """The same key in another campaign."""
        return Client(self.http, self.wire, campaign)

    async def over_http(self, verb: str, path: str, seconds: float | None = None, **options: Any) -> str:
        """Calls over HTTP."""
        headers = {} if seconds is None else {"x-request-timeout": f"{seconds}"}
        answer = await self.http.request(verb, f"{self.path}{path}", headers=headers, **options)
        if answer.is_error:
            assert answer.status_code == {"overloaded": 429, "deadline_exceeded": 504}[answer.json()["code"]]
        return str(answer.json()["code"]) if answer.is_error else "ok"

    async def over_grpc(self, name: str, seconds: float | None = None, **values: Any) -> str:
        """Calls over gRPC."""
        answer = await self.wire.ask(name, campaign=self.campaign, timeout=seconds, **values)
        if getattr(answer, "status", None) is grpc.StatusCode.DEADLINE_EXCEEDED:
            return "deadline_exceeded"
        return getattr(answer, "code", "ok")


@asynccontextmanager
async def connected(addresses: tuple[str, str], database: Database, *campaigns: str) -> AsyncIterator[list[Client]]:
    """A client in each campaign, each with a key of its own that the server has not seen."""
    opened = []
    for campaign in campaigns:
        header = f"Bearer {await create_key(database.url, 'test', Role.ADMIN)}"
        http = httpx.AsyncClient(base_url=addresses[0], headers={"authorization": header}, timeout=60)
        opened.append(Client(http, Wire(addresses[1], header), campaign))
    try:
        yield opened
    finally:
        for client in opened:
            await client.http.aclose()
            await client.wire.channel.close()


async def campaigns(address: str, database: Database, count: int) -> list[str]:
    """The slugs of new campaigns."""
    header = f"Bearer {await create_key(database.url, 'test', Role.ADMIN)}"
    slugs = [f"h{uuid.uuid4().hex[:10]}" for _ in range(count)]
    async with httpx.AsyncClient(base_url=address, headers={"authorization": header}, timeout=30) as client:
        for slug in slugs:
            assert (await client.post("/v1/campaigns", json={"slug": slug, "title": slug})).status_code == 201
    return slugs


@pytest_asyncio.fixture(scope="module")
async def narrow(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """A server that performs few calls at a time."""
    home = Path(tmp_path_factory.mktemp("home"))
    async with serving(database_url, home, max_concurrent_calls=MOST, pool_size=2) as addresses:
        yield addresses


async def lists(client: Client, seconds: float | None) -> Ask:
    """Lists that differ, so that none is shared."""
    return lambda n: client.over_http("GET", "/contents", seconds, params={"page_size": n + 1})


async def lists_over_grpc(client: Client, seconds: float | None) -> Ask:
    """Lists over gRPC."""
    return lambda n: client.over_grpc("ListContents", seconds, page_size=n + 1)


async def creates(client: Client, seconds: float | None) -> Ask:
    """Creates, which are merged."""
    return lambda n: client.over_http("POST", "/contents", seconds, json={"title": f"{n}"})


async def transactions(client: Client, seconds: float | None) -> Ask:
    """Deletes that change a count: transactions of their own."""
    content = (await client.http.post(f"{client.path}/contents", json={"title": "t"})).json()["id"]
    ids = [
        (await client.http.post(f"{client.path}/comments", json={"content_id": content, "body": f"{n}"})).json()["id"]
        for n in range(BURST)
    ]
    return lambda n: client.over_http("DELETE", f"/comments/{ids[n]}", seconds)


async def creates_over_grpc(client: Client, seconds: float | None) -> Ask:
    """Creates over gRPC."""
    return lambda n: client.over_grpc("CreateContent", seconds, content={"title": f"{n}"})


CALLS = [lists, lists_over_grpc, creates, transactions, creates_over_grpc]


@pytest.mark.parametrize("seconds", [None, 60.0], ids=["without deadline", "with deadline"])
@pytest.mark.parametrize("calls", CALLS, ids=[calls.__name__ for calls in CALLS])
async def test_calls_beyond_the_share_of_a_key_or_a_campaign_are_refused_at_once(
    narrow: tuple[str, str], database: Database, database_url: str, calls: Any, seconds: float | None
) -> None:
    crowd_slug, quiet_slug = await campaigns(narrow[0], database, 2)
    async with connected(narrow, database, crowd_slug, quiet_slug) as (crowd, quiet):
        ask, ask_quiet = await calls(crowd, seconds), await calls(quiet, seconds)
        for client in (crowd, quiet):
            assert await client.over_http("GET", "/contents") == "ok"  # the key is known
        locking = await asyncpg.connect(database_url)
        try:
            async with locking.transaction():
                await locking.execute("LOCK TABLE service_content_main IN ACCESS EXCLUSIVE MODE")
                burst = [asyncio.ensure_future(ask(n)) for n in range(BURST)]

                async def refused() -> bool:
                    return sum(task.done() for task in burst) == BURST - SHARE

                await eventually(refused)
                assert {task.result() for task in burst if task.done()} == {"overloaded"}
                others = [asyncio.ensure_future(ask_quiet(n)) for n in range(2)]
                assert await crowd.in_campaign(quiet_slug).over_http("GET", "/contents") == "overloaded", "the key"
                assert await quiet.in_campaign(crowd_slug).over_http("GET", "/contents") == "overloaded", "the campaign"
                await asyncio.sleep(0.1)
                assert not any(task.done() for task in others), "others have room"
            answers = await asyncio.gather(*burst, *others)
        finally:
            await locking.close()
        assert sorted(answers) == ["ok"] * (SHARE + 2) + ["overloaded"] * (BURST - SHARE)
        assert [await ask(n) for n, answer in enumerate(answers[:BURST]) if answer == "overloaded"][:2] == ["ok", "ok"]


async def test_watches_that_go_on_take_no_room(narrow: tuple[str, str], database: Database) -> None:
    (slug,) = await campaigns(narrow[0], database, 1)
    async with connected(narrow, database, slug) as (client,):
        watches = [client.wire.start("WatchEvents", campaign=slug, timeout=None) for _ in range(MOST)]
        for watch in watches:
            await asyncio.wait_for(watch.initial_metadata(), 20)
        assert await client.over_http("GET", "/contents") == "ok"
        for watch in watches:
            watch.cancel()


class Proxy:
    """A way to the database over TCP that can be made to hang: connections are accepted, and nothing more happens."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._open = asyncio.Event()
        self._open.set()
        self._carrying: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def hanging(self) -> AsyncIterator[None]:
        """For the duration of the block."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection, both ways."""
        there_reader, there_writer = await asyncio.open_unix_connection(str(self._socket))
        both = [
            asyncio.create_task(self._copy(reader, there_writer)),
            asyncio.create_task(self._copy(there_reader, writer)),
        ]
        self._carrying.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        writer.close()
        there_writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)


@pytest_asyncio.fixture(scope="module")
async def far(
    server: EmbeddedServer, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Proxy, tuple[str, str]]]:
    """A server whose database is behind a proxy."""
    proxy = Proxy(server.data / ".s.PGSQL.5432")
    listening = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    url = f"postgresql://postgres@127.0.0.1:{port}{urlsplit(database_url).path}?sslmode=disable"
    async with listening, serving(url, Path(tmp_path_factory.mktemp("home"))) as addresses:
        yield proxy, addresses


async def in_time(call: Awaitable[str]) -> None:
    """The call ends at its deadline."""
    begun = time.monotonic()
    assert await call == "deadline_exceeded"
    assert time.monotonic() - begun < DEADLINE + SLACK


@pytest.mark.parametrize("warm", ["nothing", "the key", "the key and the campaign"])
async def test_a_deadline_ends_a_call_while_the_database_hangs_whatever_is_looked_up(
    far: tuple[Proxy, tuple[str, str]], database: Database, warm: str
) -> None:
    proxy, addresses = far
    first, second = await campaigns(addresses[0], database, 2)
    async with connected(addresses, database, first, first) as clients:
        for client in clients:
            content = (
                await client.http.post(f"{client.path}/contents", json={"title": "t"})
                if warm == "the key and the campaign"
                else None
            )
            if warm == "the key":
                await client.in_campaign(second).over_http("GET", "/contents")
        target = "1" if content is None else content.json()["id"]
        async with proxy.hanging():
            over_http, over_grpc = clients
            await asyncio.gather(
                in_time(over_http.over_http("GET", "/contents", DEADLINE)),
                in_time(over_http.over_http("POST", "/contents", DEADLINE, json={"title": "u"})),
                in_time(over_http.over_http("DELETE", f"/contents/{target}", DEADLINE)),
                in_time(over_grpc.over_grpc("ListContents", DEADLINE)),
                in_time(over_grpc.over_grpc("WatchEvents", DEADLINE)),
            )
        for client in clients:
            assert await client.over_http("GET", "/contents") == "ok"


async def test_a_deadline_ends_a_transaction_while_the_database_hangs(
    far: tuple[Proxy, tuple[str, str]], database: Database, database_url: str
) -> None:
    proxy, addresses = far
    (slug,) = await campaigns(addresses[0], database, 1)
    async with connected(addresses, database, slug) as (client,):
        content = (await client.http.post(f"{client.path}/contents", json={"title": "t"})).json()["id"]
        comment = (await client.http.post(f"{client.path}/comments", json={"content_id": content, "body": "c"})).json()[
            "id"
        ]
        locking = await asyncpg.connect(database_url)
        try:
            async with locking.transaction():
                await locking.execute("SELECT 1 FROM service_content_main WHERE master_id = $1 FOR UPDATE", content)
                deleting = asyncio.ensure_future(client.over_http("DELETE", f"/comments/{comment}", 2 * DEADLINE))
                await asyncio.sleep(DEADLINE)  # it is in its transaction
                async with proxy.hanging():
                    begun = time.monotonic()
                    assert await deleting == "deadline_exceeded"
                    assert time.monotonic() - begun < DEADLINE + SLACK
        finally:
            await locking.close()
        answer = await client.http.get(f"{client.path}/comments/{comment}")
        assert answer.json()["id"] == comment
