"""Events over gRPC as they happen: once each, resumed, with heartbeats; slow readers, the end, and places set free."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.gateway.grpc import responses
from ovasabi.kernel.call.context import Role, acting, system_context
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.runtime import Platform
from ovasabi.security.keys import create_key
from tests.conftest import eventually
from tests.integration.gateway.grpc_fixtures import Wire, on_grpc, refused, within

CREATED = "content:create:v1:success"


class Place:
    """A platform of the test's own, a campaign in it, and calls with a key."""

    def __init__(self, platform: Platform, wire: Wire, campaign: int) -> None:
        self.platform, self.wire, self.campaign = platform, wire, campaign

    async def make(self, *titles: str, body: str = "") -> list[int]:
        """New contents; their ids."""
        with acting(system_context("test", self.campaign)):
            service = self.platform.registry.named("content")
            return [(await service.create({"title": title, "body": body})).id for title in titles]

    def watch(self, **values: Any) -> Any:
        """A watch that begins."""
        values = {"campaign": str(self.campaign), "types": CREATED, **values}
        return self.wire.start("WatchEvents", timeout=None, **values)

    def places(self) -> int:
        """How many watch in the process."""
        subscriptions: Subscriptions = self.platform.registry.subscriptions
        return sum(len(tail.watchers) for tail in subscriptions._tails.values())

    async def watched_by(self, count: int) -> None:
        """Waits until so many watch."""

        async def condition() -> bool:
            return self.places() == count

        await eventually(condition)


@pytest_asyncio.fixture
async def place(database_url: str, database: Database, campaign: int, tmp_path: Path) -> AsyncIterator[Place]:
    """A platform with nobody else on it."""
    key = await create_key(database.url, "test", Role.ADMIN)
    async with on_grpc(database_url, tmp_path) as (platform, address), Wire(address, f"Bearer {key}") as wire:
        yield Place(platform, wire, campaign)


async def read(call: Any, count: int) -> list[Any]:
    """So many events of a watch, without its heartbeats."""
    found: list[Any] = []
    async with asyncio.timeout(20):
        async for answer in call:
            if answer.HasField("event"):
                found.append(answer)
            if len(found) == count:
                break
    return found


def titles(responses: list[Any]) -> list[str]:
    """The titles of the contents that were created."""
    return [answer.event.payload["title"] for answer in responses]


async def ended(call: Any) -> Any:
    """How a watch ends."""
    return (await read_to_the_end(call))[1]


async def test_a_watch_tells_what_was_and_what_comes_once_each_and_in_order(place: Place) -> None:
    await place.make("a", "b")
    call = place.watch()
    assert titles(await read(call, 2)) == ["a", "b"]
    await place.make("c", "d")
    told = await read(call, 2)
    assert titles(told) == ["c", "d"]
    assert all(answer.cursor == answer.event.cursor for answer in told)
    call.cancel()


async def test_a_watch_resumes_after_a_cursor(place: Place) -> None:
    await place.make("a", "b", "c")
    (first,) = await read(call := place.watch(), 1)
    call.cancel()
    rest = await read(call := place.watch(after=first.cursor), 2)
    assert titles(rest) == ["b", "c"]
    call.cancel()
    latest = place.watch(after="now")
    begun = await anext(aiter(latest))
    assert not begun.HasField("event")
    await place.make("d")
    assert titles(await read(latest, 1)) == ["d"]
    latest.cancel()


@pytest.mark.parametrize(
    ("cursor", "code"),
    [("140737488355327-1", "cursor_unknown"), ("1-9007199254740991", "cursor_unknown"), ("01-1", "invalid_value")],
)
async def test_a_cursor_that_the_log_did_not_issue_is_refused(place: Place, cursor: str, code: str) -> None:
    await place.make("a")
    assert (await ended(place.watch(after=cursor))).code == code
    assert (await place.wire.ask("ListEvents", campaign=str(place.campaign), after=cursor)).code == code


async def test_silence_is_told_by_heartbeats_from_which_a_watch_resumes(place: Place) -> None:
    await place.make("before")
    call = place.watch(after="now", heartbeat_seconds=0.1)
    beats = [await within(10, anext(aiter(call))) for _ in range(3)]
    call.cancel()
    assert not any(beat.HasField("event") for beat in beats)
    assert all(beat.cursor for beat in beats)
    assert all(beat.HasField("lag_seconds") and beat.lag_seconds >= 0 for beat in beats)
    await place.make("after")
    again = place.watch(after=beats[-1].cursor)
    assert titles(await read(again, 1)) == ["after"]
    again.cancel()


async def test_a_cancelled_watch_frees_its_place(place: Place) -> None:
    await place.make("a")
    calls = [place.watch() for _ in range(5)]
    for call in calls:
        await read(call, 1)
    assert place.places() == 5
    for call in calls[:3]:
        call.cancel()
    await place.watched_by(2)
    await place.wire.channel.close()  # a client that is gone has cancelled all that it had
    await place.watched_by(0)


async def test_a_watch_ends_with_its_deadline_and_frees_its_place(place: Place) -> None:
    await place.make("a")
    call = place.wire.start("WatchEvents", campaign=str(place.campaign), timeout=1)
    await read(call, 1)
    told = await ended(call)
    assert told.status is grpc.StatusCode.DEADLINE_EXCEEDED
    await place.watched_by(0)


async def test_a_watch_ends_at_shutdown_and_says_where_to_resume(place: Place) -> None:
    await place.make("a")
    await read(call := place.watch(), 1)
    await place.platform.registry.subscriptions.close()
    told = await ended(call)
    assert (told.status, told.code) == (grpc.StatusCode.UNAVAILABLE, "watch_ended")
    await place.make("b")
    cursor = told.details["ErrorInfo"].metadata["cursor"]
    events = (await place.wire.ask("ListEvents", campaign=str(place.campaign), after=cursor, types=CREATED)).events
    assert [event.payload["title"] for event in events] == ["b"]
    assert "RetryInfo" in told.details
    assert (await ended(place.watch())).code == "watch_ended"


async def test_a_reader_that_does_not_read_is_dropped_while_another_gets_all(place: Place) -> None:
    await place.make("first")
    slow, quick = place.watch(), place.watch()
    await read(slow, 1)
    await read(quick, 1)
    names = [f"t{number}" for number in range(40)]
    reading = asyncio.create_task(read(quick, len(names)))
    for name in names:
        await place.make(name, body="w " * 150_000)
    assert titles(await reading) == names
    await place.watched_by(1)
    told = await read_to_the_end(slow)
    seen, end = told
    assert (end.status, end.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "watcher_too_slow")
    assert titles(seen) == names[: len(seen)]
    assert len(seen) < len(names)
    rest = place.watch(after=end.details["ErrorInfo"].metadata["cursor"])
    assert titles(await read(rest, len(names) - len(seen))) == names[len(seen) :]


async def test_a_reader_that_takes_nothing_for_long_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "PATIENCE_SECONDS", 0.5)
    await place.make("first")
    await read(slow := place.watch(), 1)
    for number in range(40):
        await place.make(f"t{number}", body="w " * 150_000)
    await place.watched_by(0)
    await asyncio.sleep(2)
    seen, end = await read_to_the_end(slow)
    assert (end.status, end.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "reader_stalled")
    assert titles(seen) == [f"t{number}" for number in range(len(seen))]


async def read_to_the_end(call: Any) -> tuple[list[Any], Any]:
    """What a watch still tells, and how it ends."""
    seen: list[Any] = []
    try:
        async with asyncio.timeout(20):
            async for answer in call:
                seen += [answer] if answer.HasField("event") else []
    except grpc.aio.AioRpcError as error:
        return seen, refused(error)
    raise AssertionError("the watch ended without a status")
