"""The subscription of a server to the platform's rows, and its replication slot at home."""

import asyncio
import time
from collections.abc import Callable

import asyncpg
import msgspec

from ovasabi.database.sql import load
from ovasabi.errors import StartError
from ovasabi.lifecycle.replication import lost
from ovasabi.lifecycle.replication.state import cut_off, state_of, worker_of
from ovasabi.settings import password_of

_SQL = load(__file__)
COPY_SECONDS = 60.0
"""How long to wait until a new subscription has copied the rows that there are."""
RELEASE_SECONDS = 10.0
"""How long a replication slot may still be in use after its subscription ended."""


class Servers(msgspec.Struct, frozen=True):
    """Home, as the login and as the owner of the tables, and another server, which finds home at a URL."""

    publisher: asyncpg.Connection
    owner: asyncpg.Connection
    subscriber: asyncpg.Connection
    number: int
    home: str


class System(msgspec.Struct, frozen=True):
    """A database: that of its PostgreSQL server, and its own number."""

    server: int
    database: int


async def system_of(connection: asyncpg.Connection) -> System:
    """Returns which PostgreSQL server a connection is to, and which of its databases."""
    (row,) = await connection.fetch(_SQL["system"])
    return System(**row)


async def settle(of: Servers, added: frozenset[str], say: Callable[[str], None]) -> None:
    """Lets a server subscribe, or brings its subscription up to date; waits until the rows have arrived.

    It begins anew if changes would be missing: home was restored, or did not publish a table in between (`added`).
    """
    try:
        worker = await worker_of(of.subscriber)
        if worker is not None and not added & set(worker.tables) and await cut_off(worker, of.publisher) is None:
            await _renew(of)
        else:
            await _begin(of, say)
    except asyncpg.PostgresError as error:
        raise _refused(of, error) from error
    await _arrived(of)


async def _renew(of: Servers) -> None:
    await of.subscriber.execute(await of.subscriber.fetchval(_SQL["reconnect"], of.home))
    await of.subscriber.execute(_SQL["enable"])
    await of.subscriber.execute(_SQL["refresh"])


async def _begin(of: Servers, say: Callable[[str], None]) -> None:
    missed = await lost.lost_at(of.owner, of.subscriber, of.number)
    if await worker_of(of.subscriber) is not None:
        await of.subscriber.execute(_SQL["disable"])
        await of.subscriber.execute(_SQL["leave"])
        await of.subscriber.execute(_SQL["unsubscribe"])
    await _release(of)
    await lost.forget(missed, of.owner, of.subscriber, of.number, say)
    say(f"copying the platform's rows to server {of.number}")
    home, own = await system_of(of.publisher), await system_of(of.subscriber)
    # A server that was replaced by a restored copy of it cannot take the changes of that copy: its slot is another.
    slot = f"ovasabi_{home.database}_{own.server}_{own.database}_{of.number}"
    await of.subscriber.execute(await of.subscriber.fetchval(_SQL["subscribe"], of.home, slot))


async def _release(of: Servers) -> None:
    """Drops the slots at home of this server before it was restored; raises StartError if one is in use."""
    end = time.monotonic() + RELEASE_SECONDS
    while used := [row for row in await of.publisher.fetch(_SQL["slots"], of.number) if row["active"]]:
        if time.monotonic() > end:
            problem = f"Another server takes part as server {of.number}"
            problem += f", from {used[0]['address']}." if used[0]["address"] else "."
            hint = "Stop it, or drop its subscription ovasabi_platform. Then run: ovasabi migrate"
            raise StartError(problem=problem, hint=hint)
        await asyncio.sleep(0.1)
    await of.publisher.execute(_SQL["release"], of.number)


async def _arrived(of: Servers) -> None:
    end = time.monotonic() + COPY_SECONDS
    while not (found := await state_of(of.subscriber, of.publisher)).ready:
        if time.monotonic() > end or found.state == "failing":
            problem = f"The platform's rows do not arrive at server {of.number}: {found}."
            raise StartError(problem=problem, hint=f"The log of server {of.number} says why.")
        await asyncio.sleep(0.1)


def _refused(of: Servers, error: asyncpg.PostgresError) -> StartError:
    said, password = str(error).rstrip("."), password_of(of.home)
    problem = f"Server {of.number} cannot subscribe to the platform's rows: "
    problem += f"{said.replace(password, '***') if password else said}."
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        hint = f"The login must be a superuser on server {of.number}, and have REPLICATION on the home server."
    else:
        hint = f"Server {of.number} must reach the home server at OVASABI_DATABASE_URL."
    return StartError(problem=problem, hint=hint)
