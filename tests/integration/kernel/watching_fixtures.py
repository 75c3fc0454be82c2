"""What the tests of watching share: hubs of a test's own, events gathered, and the log as a superuser sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.subscriptions import Heartbeat, Subscriptions, Watch, WatchLimits
from tests.integration.kernel.fixtures import admin, contents, within

SOON = 30.0
"""Seconds within which what is waited for must come; nothing is measured by it."""


@asynccontextmanager
async def subscriptions(database: Database, **limits: Any) -> AsyncIterator[Subscriptions]:
    """A hub of the test's own."""
    hub = Subscriptions(database, WatchLimits(**limits))
    try:
        yield hub
    finally:
        await hub.close()


def watch(hub: Subscriptions, campaign: int, **options: Any) -> Watch:
    """A watch of a campaign."""
    with within(campaign):
        return hub.watch(**options)


async def write(database: Database, campaign: int, *titles: str) -> list[int]:
    """Contents, one after the other; answers their ids."""
    with within(campaign):
        return [(await contents(database).create({"title": title})).id for title in titles]


async def begun(watch: Watch) -> str:
    """The cursor of the heartbeat with which a watch from now begins."""
    async with asyncio.timeout(SOON):
        first = await anext(watch)
    assert isinstance(first, Heartbeat)
    return first.cursor


async def events(watch: Watch, count: int) -> list[Event]:
    """The next events, whatever heartbeats come between."""
    found: list[Event] = []
    async with asyncio.timeout(SOON):
        while len(found) < count:
            item = await anext(watch)
            if isinstance(item, Event):
                found.append(item)
    return found


async def heartbeat(watch: Watch) -> str:
    """The cursor of what comes next, which is a heartbeat."""
    async with asyncio.timeout(SOON):
        item = await anext(watch)
    assert isinstance(item, Heartbeat), item
    return item.cursor


async def until(watch: Watch, title: str) -> list[Event]:
    """The events up to that of a content with this title, which is among them."""
    found: list[Event] = []
    while not found or found[-1].payload.get("title") != title:
        found += await events(watch, 1)
    return found


async def log_of(url: str, campaign: int) -> list[int]:
    """The ids of a campaign's events in the order of the log."""
    async with admin(url) as connection:
        rows = await connection.fetch("SELECT id FROM service_event WHERE campaign_id = $1 ORDER BY xid, id", campaign)
    return [row["id"] for row in rows]


def titles(found: list[Event]) -> list[Any]:
    """The titles that events set."""
    return [event.payload.get("title") for event in found]
