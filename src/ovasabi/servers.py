"""The PostgreSQL servers of the platform: home, and those of OVASABI_SHARDS, with the pools and services of each."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.faults import THE_DATABASE
from ovasabi.errors import OvasabiError
from ovasabi.kernel.service import Elsewhere, ServiceRegistry
from ovasabi.kernel.service.shards import HOME, Shards
from ovasabi.lifecycle import log_epochs, log_holders, partitions
from ovasabi.lifecycle.serving_login import serving_url
from ovasabi.security.secret_key_file import secret_keys
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


def name_of(number: int, settings: Settings) -> str:
    """Returns the name of a server in messages."""
    return f"server {number}" if settings.shard_urls else THE_DATABASE


def warning(number: int, settings: Settings) -> Callable[[str], None]:
    """Returns what logs a warning about a server, under its name if there are several."""
    prefix = f"server {number}: " if settings.shard_urls else ""
    return lambda text: log.warning("%s%s", prefix, text)


def pools(number: int, url: str, settings: Settings) -> Database:
    """Returns the connection pools of a server in the configured sizes, not yet open."""
    return Database(
        url,
        readers=settings.pool_size,
        writers=settings.write_pool_size,
        timeout_seconds=settings.request_timeout_seconds,
        connected=log_epochs.noticing(url, warning(number, settings)),
        name=name_of(number, settings),
        months_ahead=settings.months_ahead,
        secret_keys=secret_keys(settings),
    )


@asynccontextmanager
async def opened(url: str, settings: Settings) -> AsyncIterator[Databases]:
    """Opens the pools of all servers. If one other than home is unavailable, it is opened as soon as it is back."""
    urls = {number: serving_url(each, settings, number) for number, each in urls_of(url, settings).items()}
    databases = {number: pools(number, each, settings) for number, each in urls.items()}
    opening = {n: asyncio.create_task(_open(n, each, settings)) for n, each in databases.items() if n != HOME}
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


async def _open(number: int, database: Database, settings: Settings) -> None:
    told = False
    while True:
        try:
            await database.open()
            await partitions.note_present(database)
            if told:
                log.warning("server %d is available", number)
            return
        except (OvasabiError, OSError, asyncpg.PostgresError) as error:
            await database.close()
            if not told:
                log.warning("server %d is not available, and is tried again every second: %s", number, error)
            told = True
            await asyncio.sleep(1)


async def _catch_up(number: int, database: Database, settings: Settings) -> None:
    """Creates the partitions that are missing for the present among a server's rows, and tells why it cannot."""
    try:
        await partitions.note_present(database)
        if made := await partitions.ensure(database, settings.months_ahead):
            log.info("%s had no partitions for some of the coming months: %d created", database.faults.name, made)
    except (OvasabiError, asyncpg.PostgresError) as error:
        warning(number, settings)(f"partitions that are missing could not be created: {error}")


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
    # After a long time off, the first create would find no partition.
    await asyncio.gather(*(_catch_up(number, database, settings) for number, database in databases.items()))
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
    """Looks after a server every minute, and does the rest hourly, until cancelled. After an error it tries again."""
    database, clock = databases[number], asyncio.get_running_loop().time
    done_at = clock()
    while True:
        await asyncio.sleep(min(look_seconds, every_seconds))
        await _catch_up(number, database, settings)
        with suppress(OvasabiError, asyncpg.PostgresError, OSError):
            await log_epochs.settle(database.url, warning(number, settings))  # a standby may have taken over
            await log_holders.tell(database, warning(number, settings))
        with suppress(OvasabiError, asyncpg.PostgresError):
            if clock() - done_at < every_seconds:
                await directory.settle_abandoned(databases[HOME], database, number)
            else:
                await directory.reconcile(databases[HOME], database, number)
                done_at = clock()
