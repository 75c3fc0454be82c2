"""The platform's rows (users, keys) on the servers of campaigns: set up with PostgreSQL's own logical replication.

Home publishes them; every other server subscribes. So references to users are checked where the campaign is, and an
operation sees that its key was revoked. Nothing but the subscription writes these rows there.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

import asyncpg
import msgspec

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.sql import load
from ovasabi.errors import StartError

_SQL = load(__file__)
SHARED = ("api_key", "master")
"""What is published besides the tables of the platform's entities: of the registry, the rows of the platform."""
SLOT = "ovasabi_"
"""How the names of replication slots at home begin; the number of home's database and that of the server follow."""
STATEMENT_TIMEOUT = "60s"
COPY_SECONDS = 60.0
"""How long to wait until a new subscription has copied the rows that there are."""


class Subscribed(msgspec.Struct, frozen=True):
    """The state of a server's subscription to the platform's rows."""

    state: str
    """running, copying, not running, disabled or missing."""
    ready: bool


async def connect(urls: Mapping[int, str], home: int, say: Callable[[str], None]) -> None:
    """Sets up the replication from home to all other servers, or brings it up to date; waits for the first copy."""
    if len(urls) == 1:
        return
    publisher = await _connected(urls[home])
    try:
        await _publish(publisher)
        (system,) = await publisher.fetch(_SQL["system"])
        for number in urls.keys() - {home}:
            subscriber = await _connected(urls[number])
            try:
                if (await subscriber.fetch(_SQL["system"]))[0]["server"] == system["server"]:
                    problem = f"Server {number} is a database of the home server, which cannot replicate to itself."
                    raise StartError(problem=problem, hint="Use another PostgreSQL server in OVASABI_SHARDS.")
                await _subscribe(subscriber, urls[home], number, f"{SLOT}{system['database']}_{number}", say)
            finally:
                await subscriber.close()
    finally:
        await publisher.close()


async def state_of(connection: asyncpg.Connection) -> Subscribed:
    """Returns the state of the server that a connection is to."""
    rows = await connection.fetch(_SQL["subscribed"])
    if not rows:
        return Subscribed("missing", ready=False)
    (row,) = rows
    if not row["enabled"]:
        return Subscribed("disabled", ready=False)
    if not row["running"]:
        return Subscribed("not running", ready=False)
    return Subscribed("copying" if row["copying"] else "running", ready=not row["copying"])


async def _publish(connection: asyncpg.Connection) -> None:
    (row,) = await connection.fetch(_SQL["publishable"])
    if not row["logical"]:
        raise StartError(
            problem="The home server cannot replicate the platform's rows: its wal_level is not logical.",
            hint="Set wal_level = logical in its configuration and restart it.",
        )
    wanted = sorted([*SHARED, *row["tables"]])
    published = await connection.fetch(_SQL["published"])
    if not published or published[0]["tables"] != wanted:
        await connection.execute(f"SET ROLE {OWNER_ROLE}")
        await connection.execute(await connection.fetchval(_SQL["publish"], wanted, bool(published)))
        await connection.execute("RESET ROLE")


async def _subscribe(
    connection: asyncpg.Connection, home: str, number: int, slot: str, say: Callable[[str], None]
) -> None:
    try:
        if await connection.fetch(_SQL["subscribed"]):
            await connection.execute(await connection.fetchval(_SQL["reconnect"], home))
            await connection.execute(_SQL["refresh"])
        else:
            say(f"copying the platform's rows to server {number}")
            await connection.execute(await connection.fetchval(_SQL["subscribe"], home, slot))
    except asyncpg.PostgresError as error:
        problem = f"Server {number} cannot subscribe to the platform's rows: {str(error).rstrip('.')}."
        hint = "Its login must be a superuser, and it must reach the home server at the same URL."
        raise StartError(problem=problem, hint=hint) from error
    end = time.monotonic() + COPY_SECONDS
    while not (await state_of(connection)).ready:
        if time.monotonic() > end:
            state = (await state_of(connection)).state
            problem = f"The platform's rows do not arrive at server {number}: its subscription is {state}."
            raise StartError(problem=problem, hint="The log of that server says why.")
        await asyncio.sleep(0.1)


async def _connected(url: str) -> asyncpg.Connection:
    settings = {"statement_timeout": STATEMENT_TIMEOUT, "application_name": "ovasabi migrate"}
    return await asyncpg.connect(url, timeout=10, server_settings=settings)
