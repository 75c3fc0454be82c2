"""Locks, held for a transaction; and leases with fencing tokens, for longer work."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import SET_SCOPE, load
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import Fence, acting, current, current_campaign
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import transaction, write

_SQL = load(__file__)


class LockHeld(OvasabiError):
    """The lock is held by someone else."""

    kind = Kind.CONFLICT
    code = "lock_held"
    message = "The lock {name} is held by someone else."
    hint = "Try again after its holder has released it or its lease has expired."
    example = such_as(name="nightly-report")


class Lease(msgspec.Struct, frozen=True):
    """A held lease. Each holder gets a greater token; writes with an older token are refused."""

    name: str
    token: int
    seconds: float
    campaign_id: int


@asynccontextmanager
async def locked(database: Database, name: str) -> AsyncIterator[None]:
    """Holds a named lock of the campaign for one transaction, which includes everything that the block writes."""
    async with transaction(database) as connection:
        await connection.execute(_SQL["named"], name, current_campaign())
        yield


@asynccontextmanager
async def locked_entity(database: Database, id: int) -> AsyncIterator[None]:
    """Locks the registry row of an entity for one transaction, so that nothing else changes the entity meanwhile.

    New references to the entity are still possible: they only need a lock on the row's key, and do not wait.
    """
    async with transaction(database) as connection:
        campaign = current_campaign()
        await connection.execute(SET_SCOPE, scope_of(campaign))
        await connection.execute(_SQL["entity"], campaign, id)
        yield


async def acquire(database: Database, name: str, seconds: float) -> Lease:
    """Acquires a lease for some seconds; raises `LockHeld` if another holder's lease has not expired.

    A lease never lasts longer than its own seconds from this attempt on, even if the clock was set back.
    """
    campaign = current_campaign()
    holder = f"{current().principal.name}:{secrets.token_hex(4)}"
    rows = await write(database, _SQL["acquire"], scope_of(campaign), campaign, name, holder, seconds)
    if not rows:
        await write(database, _SQL["shorten"], scope_of(campaign), campaign, name)
        raise LockHeld(name=name)
    return Lease(name, rows[0]["token"], seconds, campaign)


async def renew(database: Database, lease: Lease) -> None:
    """Renews a lease for the same time; raises `LeaseLost` if it has expired or was taken over."""
    await _extend(database, lease, lease.seconds)


async def release(database: Database, lease: Lease) -> None:
    """Releases a lease immediately; does nothing if it was already lost."""
    with suppress(LeaseLost):
        await _extend(database, lease, 0)


@asynccontextmanager
async def leased(database: Database, name: str, seconds: float = 30) -> AsyncIterator[Lease]:
    """Holds a lease for the block and renews it in the background; every write of the block carries its token."""
    lease = await acquire(database, name, seconds)
    renewal = asyncio.create_task(_renew_forever(database, lease))
    try:
        with acting(msgspec.structs.replace(current(), fence=Fence(name, lease.token))):
            yield lease
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError, OvasabiError):
            await renewal
        await release(database, lease)


async def _renew_forever(database: Database, lease: Lease) -> None:
    while True:
        await asyncio.sleep(lease.seconds / 3)
        await renew(database, lease)


async def _extend(database: Database, lease: Lease, seconds: float) -> None:
    with acting(msgspec.structs.replace(current(), campaign_id=lease.campaign_id, fence=None)):
        scope = scope_of(lease.campaign_id)
        if not await write(database, _SQL["renew"], scope, lease.campaign_id, lease.name, lease.token, seconds):
            raise LeaseLost
