"""The platform's rows (users, keys) on the servers of campaigns: set up with PostgreSQL's own logical replication.

Home publishes them; every other server subscribes. So references to users are checked where the campaign is, and an
operation sees that its key was revoked. Nothing but the subscription writes these rows there.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.session import open_session
from ovasabi.errors import StartError
from ovasabi.lifecycle.replication import lost, publication, subscription

STATEMENT_TIMEOUT = "60s"


async def connect(urls: Mapping[int, str], home: int, say: Callable[[str], None]) -> None:
    """Sets up the replication from home to all other servers, or brings it up to date; waits for the first copy.

    Servers that were restored take part again: home is the truth about the platform's rows, and a server about its own.
    """
    if len(urls) == 1:
        return
    async with AsyncExitStack() as opened:
        publisher = await opened.enter_async_context(_connected(urls[home]))
        owner = await opened.enter_async_context(_connected(urls[home], role=OWNER_ROLE))
        added = await publication.publish(owner)
        for number in urls.keys() - {home}:
            async with _connected(urls[number]) as subscriber:
                await _check_apart(publisher, subscriber, number)
                await lost.draw_past(owner, subscriber)
                servers = subscription.Servers(publisher, owner, subscriber, number, urls[home])
                await subscription.settle(servers, added, say)


async def _check_apart(publisher: asyncpg.Connection, subscriber: asyncpg.Connection, number: int) -> None:
    """Raises StartError if a server is home itself."""
    if (await subscription.system_of(publisher)).server == (await subscription.system_of(subscriber)).server:
        problem = f"Server {number} is a database of the home server, which cannot replicate to itself."
        raise StartError(problem=problem, hint="Use another PostgreSQL server in OVASABI_SHARDS.")


@asynccontextmanager
async def _connected(url: str, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    settings |= {"statement_timeout": STATEMENT_TIMEOUT, "application_name": "ovasabi migrate"}
    connection = await open_session(url, 10, **settings)
    try:
        yield connection
    finally:
        await connection.close()
