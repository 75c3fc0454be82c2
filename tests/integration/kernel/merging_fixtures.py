"""What the tests of merged calls share: callers of several campaigns, statements counted, and what came of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.kernel.call.context import Context, Principal, Role, acting
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, caught, contents, pools, within


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """Pools of one connection each, and the statements that they send."""
    sent: list[str] = []
    async with pools(url, readers=1, writers=1) as database:
        for pool in (Pool.READ, Pool.WRITE, Pool.WRITE_PLANNED):
            async with database._connection(pool, 5) as connection:
                connection.add_query_logger(lambda record: sent.append(record.query))
        yield database, sent


@asynccontextmanager
async def impatient(url: str) -> AsyncIterator[Database]:
    """Pools of one connection each that wait only briefly for a lock."""
    async with pools(url, readers=1, writers=1) as database:
        for pool in (Pool.WRITE, Pool.WRITE_PLANNED):
            async with database._connection(pool, 5) as connection:
                await connection.execute("SET lock_timeout = '300ms'")
        yield database


def caller(campaign: int, number: int) -> Context:
    """A caller of its own: principal, correlation and cause are told apart by its number."""
    principal = Principal(f"key:{number}", 0, Role.WRITER)
    return Context(principal, campaign, correlation_id=f"correlation-{number}", causation_id=1000 + number)


async def called(context: Context, call: Callable[[], Awaitable[Any]]) -> Any:
    """The answer of a call in its context, or the error in its place."""
    with acting(context):
        return await caught(call())


async def some(database: Database, campaigns: list[int], count: int) -> list[Content]:
    """Contents of several campaigns in turn."""
    made: list[Content] = []
    for n in range(count):
        with within(campaigns[n % len(campaigns)]):
            made += await contents(database).create_many([NewEntity({"title": f"{n}"})])
    return made


async def written(url: str, campaign: int) -> dict[str, str]:
    """Titles by id as the table has them, after the registry and the log of creates were held against it."""
    # One look at all three: a statement whose callers left may still be about to commit.
    async with admin(url) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await _pairs(
            connection, "SELECT master_id, title FROM service_content_main WHERE campaign_id = $1", campaign
        )
        names = "SELECT id, name FROM master WHERE campaign_id = $1 AND type = 'content'"
        events = """SELECT master_id, payload ->> 'title' FROM service_event
                    WHERE campaign_id = $1 AND event_type = 'content:create:v1:success'"""
        assert sorted(rows) == sorted(await _pairs(connection, names, campaign)), "rows and registry"
        assert sorted(rows) == sorted(await _pairs(connection, events, campaign)), "rows and events"
    return dict(rows)


async def _pairs(connection: asyncpg.Connection, query: str, campaign: int) -> list[tuple[Any, Any]]:
    return [(row[0], row[1]) for row in await connection.fetch(query, campaign)]


async def events_of(url: str, *ids: int) -> list[asyncpg.Record]:
    """The events of some entities in the order of the log, as a superuser sees them."""
    async with admin(url) as connection:
        return await connection.fetch(
            "SELECT * FROM service_event WHERE master_id = ANY ($1::bigint[]) ORDER BY xid, id", list(ids)
        )
