"""Watches that are not read hold a bounded number of bytes, and one key leaves room for the watches of others."""

import asyncio
import gc
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM, Context, Principal, Role, acting
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.events.subscriptions import Subscriptions, TooManyWatchers, TooMuchUnread, Watch
from tests.integration.kernel.fixtures import caught, contents, within
from tests.integration.kernel.watching_fixtures import begun, events, subscriptions, titles, until, write

LARGE = 200_000


def watch_with(hub: Subscriptions, key: str, campaign: int, **options: Any) -> Watch:
    """A watch of a key."""
    with acting(Context(Principal(f"key:{key}", PLATFORM, Role.READER), campaign)):
        return hub.watch(**options)


async def test_a_key_has_a_part_of_the_places_and_others_find_room(database: Database, campaign: int) -> None:
    async with subscriptions(database, watchers_per_key=2) as hub:
        held = [watch_with(hub, "one", campaign) for _ in range(2)]
        with pytest.raises(TooManyWatchers) as refused:
            watch_with(hub, "one", campaign)
        assert "this key" in str(refused.value)
        watch_with(hub, "two", campaign)
        for _ in range(3):
            with within(campaign):
                hub.watch()
        await held.pop().aclose()
        held.append(watch_with(hub, "one", campaign))
        held.clear()
        gc.collect()
        await asyncio.sleep(0)
        assert hub._holdings.watches_of("key:one") == 0, "an abandoned watch gives its place back"


async def test_readers_that_are_behind_and_do_not_read_hold_no_more_than_their_key_may(
    database: Database, campaign: int
) -> None:
    names = [f"{n}" for n in range(10)]
    with within(campaign):
        start = (await read_events(database, limit=1))[0].cursor
        for name in names:
            await contents(database).create({"title": name, "body": "x" * LARGE})
    async with subscriptions(database, page_bytes=3 * LARGE, unread_bytes_per_key=5 * LARGE) as hub:
        stalled = [watch_with(hub, "slow", campaign, after=start) for _ in range(8)]
        first = [await caught(anext(one)) for one in stalled]
        assert hub._holdings.bytes <= 5 * LARGE
        ended = [error for error in first if not isinstance(error, Event)]
        assert ended
        assert all(isinstance(error, TooMuchUnread) for error in ended)
        fast = watch_with(hub, "fast", campaign, after=start)
        assert titles(await until(fast, "9")) == names
        resumed = stalled[next(n for n, one in enumerate(first) if isinstance(one, Event))]
        assert titles(await until(resumed, "9")) == names[1:], "what had no room is read later"
        await asyncio.gather(*(one.aclose() for one in (fast, *stalled)))
    assert hub._holdings.bytes == 0


async def test_readers_at_the_end_of_the_log_that_do_not_read_hold_no_more_than_their_key_may(
    database: Database, campaign: int
) -> None:
    async with subscriptions(database, unread_bytes_per_key=5 * LARGE) as hub:
        stalled = [watch_with(hub, "slow", campaign, after="now") for _ in range(4)]
        fast = watch_with(hub, "fast", campaign, after="now")
        for one in (*stalled, fast):
            await begun(one)
        with within(campaign):
            for name in ("a", "b", "c", "d"):
                await contents(database).create({"title": name, "body": "x" * LARGE})
                assert titles(await events(fast, 1)) == [name]
                assert hub._holdings.bytes <= 7 * LARGE
        ended = [await caught(anext(one)) for one in stalled]
        assert any(not isinstance(error, Event) for error in ended)
        await write(database, campaign, "last")
        assert titles(await events(fast, 1)) == ["last"]
        await asyncio.gather(*(one.aclose() for one in (fast, *stalled)))
    assert hub._holdings.bytes == 0
