"""Deadlines and cancellation over gRPC reach PostgreSQL: no query goes on for nobody, and nothing is half-written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc
import httpx
import pytest
import pytest_asyncio

from tests.conftest import eventually
from tests.integration.gateway.grpc_fixtures import Refused, Wire

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1"
CALLS = 12
"""More than there are connections."""


@pytest_asyncio.fixture
async def wire(addresses: tuple[str, str], operator: httpx.AsyncClient) -> AsyncIterator[Wire]:
    """Calls with an admin key of the platform."""
    async with Wire(addresses[1], operator.headers["authorization"]) as opened:
        yield opened


@pytest.fixture
def campaign(shop: str) -> str:
    """The slug of a new campaign."""
    return shop.rpartition("/")[2]


@asynccontextmanager
async def blocked(url: str, lock: str, *arguments: Any) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's transaction holds a lock for as long as the block runs; gives a connection to look on from.

    A transaction sees the sessions as they were when it first looked.
    """
    holding, looking = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with holding.transaction():
            await holding.execute(lock, *arguments)
            yield looking
    finally:
        await holding.close()
        await looking.close()


def waiting(connection: asyncpg.Connection, part: str, some: bool) -> Callable[[], Awaitable[bool]]:
    """Whether some statement that holds a text waits for a lock, or none does."""

    async def condition() -> bool:
        return (await connection.fetchval(WAITING, f"%{part}%") > 0) is some

    return condition


READ = "LOCK TABLE service_quotes_main IN ACCESS EXCLUSIVE MODE"
ROW = "SELECT 1 FROM master WHERE id = $1 FOR UPDATE"


async def test_a_read_ends_with_its_deadline_and_so_does_its_query(
    wire: Wire, campaign: str, database_url: str
) -> None:
    async with blocked(database_url, READ) as connection:
        asked = asyncio.create_task(wire.ask("ListQuotes", campaign=campaign, timeout=0.5))
        await eventually(waiting(connection, "service_quotes_main", True))
        told = await asked
        assert told.status is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(waiting(connection, "service_quotes_main", False))
    assert (await wire.ask("ListQuotes", campaign=campaign)).quotes == []


async def test_a_write_ends_with_its_deadline_and_writes_nothing(wire: Wire, campaign: str, database_url: str) -> None:
    made = await wire.ask("CreateContent", campaign=campaign, content={"title": "before"})
    async with blocked(database_url, ROW, made.id) as connection:
        given: dict[str, Any] = {"campaign": campaign, "id": str(made.id), "content": {"title": "after"}}
        asked = asyncio.create_task(wire.ask("UpdateContent", **given, timeout=0.5))
        await eventually(waiting(connection, "master", True))
        told = await asked
        assert told.status is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(waiting(connection, "master", False))
    kept = await wire.ask("GetContent", campaign=campaign, id=str(made.id))
    assert (kept.title, kept.version) == ("before", made.version)
    events = (await wire.ask("ListEvents", campaign=campaign)).events
    assert [event.type for event in events if event.master_id == made.id] == ["content:create:v1:success"]


async def test_a_cancelled_call_takes_its_query_with_it_and_frees_its_connection(
    wire: Wire, campaign: str, database_url: str
) -> None:
    contents = [await wire.ask("CreateContent", campaign=campaign, content={"title": "before"}) for _ in range(CALLS)]
    async with blocked(
        database_url, "SELECT 1 FROM master WHERE id = ANY($1) FOR UPDATE", [c.id for c in contents]
    ) as by:
        admission = [
            wire.start("UpdateContent", campaign=campaign, id=str(content.id), content={"title": "after"})
            for content in contents
        ]
        await eventually(waiting(by, "master", True))
        for call in admission:
            call.cancel()
        ended = await asyncio.gather(*admission, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in ended)
        await eventually(waiting(by, "master", False))
    answers = await asyncio.gather(
        *(wire.ask("GetContent", campaign=campaign, id=str(content.id)) for content in contents)
    )
    assert {(answer.title, answer.version) for answer in answers} == {("before", 1)}
    changed = await asyncio.gather(
        *(wire.ask("UpdateContent", campaign=campaign, id=str(c.id), content={"title": "later"}) for c in contents)
    )
    assert {answer.title for answer in changed} == {"later"}


async def test_a_cancelled_create_is_there_whole_or_not_at_all(wire: Wire, campaign: str) -> None:
    async def begun(number: int) -> None:
        call = wire.start(
            "CreateContent", campaign=campaign, content={"title": f"c{number}"}, idempotency_key=f"k{number}"
        )
        await asyncio.sleep(number / 1000)
        call.cancel()

    await asyncio.gather(*(begun(number) for number in range(30)))
    again = [
        await wire.ask("CreateContent", campaign=campaign, content={"title": f"c{n}"}, idempotency_key=f"k{n}")
        for n in range(30)
    ]
    listed = (await wire.ask("ListContents", campaign=campaign, page_size=100)).contents
    assert sorted(one.id for one in listed) == sorted(one.id for one in again)
    events = (await wire.ask("ListEvents", campaign=campaign, page_size=100)).events
    assert sorted(event.master_id for event in events if event.type == "content:create:v1:success") == sorted(
        one.id for one in again
    )


async def test_a_deadline_that_has_passed_is_told_as_such(wire: Wire, campaign: str, database_url: str) -> None:
    # gRPC gives any call a millisecond, in which there may be an answer: here there can be none.
    async with blocked(database_url, READ):
        for timeout in (0.0, 0.000001, 0.001, 0.002, 0.005) * 4:
            told = await wire.ask("ListQuotes", campaign=campaign, timeout=timeout)
            assert isinstance(told, Refused)
            assert told.status is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await wire.ask("ListQuotes", campaign=campaign, timeout=10**9)).quotes == []


async def test_the_platforms_own_limit_is_told_with_details(
    wire: Wire, campaign: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ovasabi.gateway import admission

    # The client waits long, the platform does not.
    monkeypatch.setattr(admission, "_deadline", lambda platform, timeout: asyncio.get_running_loop().time() + 0.3)
    async with blocked(database_url, READ):
        told = await wire.ask("ListQuotes", campaign=campaign)
    assert (told.status, told.code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")
    assert "Help" in told.details
