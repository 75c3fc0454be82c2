"""The PostgreSQL servers of the platform: home, and those of OVASABI_SHARDS, with the pools and services of each."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.errors import OvasabiError
from ovasabi.kernel.service import Elsewhere, ServiceRegistry
from ovasabi.kernel.service.shards import HOME, Shards
from ovasabi.lifecycle import log_epochs, log_holders, partitions
from ovasabi.settings import Settings
from ovasabi.system.campaign import directory
from ovasabi.system.operation.running import carrying_out

log = logging.getLogger("ovasabi.servers")

ABSENT_SECONDS = 5.0
"""How long to wait for a server, other than home, before serving the campaigns of the others."""
Databases = Mapping[int, Database]
"""The pools of each server, by its number."""


def urls_of(url: str, settings: Settings) -> dict[int, str]:
    """Returns the URLs of all servers by their numbers; home is the first."""
    return {HOME: url, **settings.shard_urls}


def pools(url: str, settings: Settings) -> Database:
    """Returns the connection pools in the configured sizes, not yet open."""
    return Database(
        url,
        readers=settings.pool_size,
        writers=settings.write_pool_size,
        timeout_seconds=settings.request_timeout_seconds,
        connected=log_epochs.noticing(url, log.warning),
    )


@asynccontextmanager
async def opened(url: str, settings: Settings) -> AsyncIterator[Databases]:
    """Opens the pools of all servers. If one other than home is unavailable, it is opened as soon as it is back."""
    databases = {number: pools(each, settings) for number, each in urls_of(url, settings).items()}
    opening = {number: asyncio.create_task(_open(each)) for number, each in databases.items() if number != HOME}
    try:
        await databases[HOME].open()
        await partitions.note_present(databases[HOME])
        if opening:
            await asyncio.wait(opening.values(), timeout=ABSENT_SECONDS)
        yield databases
    finally:
        for task in opening.values():
            task.cancel()
        await asyncio.gather(*opening.values(), return_exceptions=True)
        for database in databases.values():
            await database.close()


async def _open(database: Database) -> None:
    while True:
        try:
            await database.open()
            await partitions.note_present(database)
            return
        except (OvasabiError, OSError, asyncpg.PostgresError):
            await database.close()
            await asyncio.sleep(1)


@asynccontextmanager
async def serving(
    databases: Databases, settings: Settings, elsewhere: Elsewhere | None
) -> AsyncIterator[Shards[ServiceRegistry]]:
    """Runs the services of all servers, and their background work, for the duration of the block."""
    home = ServiceRegistry(databases[HOME], elsewhere, kept_bytes=settings.search_cache_mb << 20)
    registries = {HOME: home} | {
        number: ServiceRegistry(database, elsewhere, kept_bytes=settings.search_cache_mb << 20, home=home)
        for number, database in databases.items()
        if number != HOME
    }
    shards = Shards(registries, partial(directory.shard_of, databases[HOME]))
    maintaining = [asyncio.create_task(_maintain(databases, number, settings)) for number in databases]
    try:
        async with AsyncExitStack() as running:
            for registry in registries.values():
                registry.shards = shards
                running.push_async_callback(registry.subscriptions.close)
            for registry in registries.values():
                await running.enter_async_context(carrying_out(registry, settings.operations))
            yield shards
    finally:
        for task in maintaining:
            task.cancel()
        await asyncio.gather(*maintaining, return_exceptions=True)


async def _maintain(
    databases: Databases, number: int, settings: Settings, every_seconds: float = 3600, look_seconds: float = 60
) -> None:
    """Does what is due on a server hourly, and when a month begins, until cancelled. After an error it tries again."""
    database, clock = databases[number], asyncio.get_running_loop().time
    month, done_at = database.present.now().month, clock()
    while True:
        await asyncio.sleep(min(look_seconds, every_seconds))
        with suppress(OvasabiError, asyncpg.PostgresError):
            await partitions.note_present(database)
        with suppress(OvasabiError, asyncpg.PostgresError, OSError):
            await log_epochs.settle(database.url, log.warning)  # a standby may have taken over
            await log_holders.tell(database)
        if database.present.now().month == month and clock() - done_at < every_seconds:
            continue
        with suppress(OvasabiError, asyncpg.PostgresError):
            await partitions.ensure(database, settings.months_ahead)
        with suppress(OvasabiError, asyncpg.PostgresError):
            await directory.reconcile(databases[HOME], database, number)
        month, done_at = database.present.now().month, clock()
