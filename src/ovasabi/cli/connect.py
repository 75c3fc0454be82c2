"""The database that a command uses: the configured one, the one that `up` runs, or one started for the command."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from ovasabi.cli.database_errors import INSUFFICIENT_PRIVILEGE, sqlstate_of
from ovasabi.cli.home import Home
from ovasabi.errors import Kind, OvasabiError, StartError, such_as
from ovasabi.settings import Settings
from ovasabi.suggestions import nearest

if TYPE_CHECKING:
    from ovasabi.database.connection import Database
    from ovasabi.kernel.service import ServiceRegistry

STATEMENT_SECONDS = 60.0


class NoSuchCampaign(OvasabiError):
    """The campaign named in a command does not exist."""

    kind = Kind.NOT_FOUND
    code = "no_such_campaign"
    message = "The campaign {name!r} was not found."
    example = such_as(name="pyhton")


@asynccontextmanager
async def resource(settings: Settings, *, start: bool = False, create: bool = False) -> AsyncIterator[str]:
    """Yields the URL of the database.

    `start` starts the embedded database for the duration of the block if it is stopped; `create` also creates it.
    """
    from ovasabi.database.embedded import EmbeddedServer, running_url

    # A fault of the database is the error with which the command ends.
    logging.getLogger("ovasabi.database").setLevel(logging.CRITICAL)
    home = Home(settings.home)
    url = settings.database_url.get_secret_value() if settings.database_url else running_url(home.data)
    if url is not None:
        yield url
        return
    if home.running() is not None or not start or not (create or exists(home)):
        raise _not_reached(home)
    home.hold()
    try:
        async with EmbeddedServer(home.data, options=settings.embedded_options, progress=say) as server:
            yield server.url()
    finally:
        home.release()


@asynccontextmanager
async def open_database(settings: Settings, *, start: bool = False, pool: int = 1) -> AsyncIterator["Database"]:
    """Opens connection pools on that database, whose schema must be up to date; also discovers the services."""
    from ovasabi import runtime

    # A lost connection is reported by our own error, in a sentence; asyncpg's pool would log a stack trace.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    async with resource(settings, start=start) as url:
        await runtime.check(url, settings)
        database = await _pools(url, pool, settings).open()
        try:
            yield database
        except Exception as error:
            if sqlstate_of(error) == INSUFFICIENT_PRIVILEGE:
                await runtime.check(url, settings)  # PostgreSQL does not say which privilege; this does
            raise
        finally:
            await database.close()


@asynccontextmanager
async def database_of(
    settings: Settings, home: "Database", campaign: int, *, pool: int = 1
) -> AsyncIterator["Database"]:
    """Yields open connection pools on a campaign's server: those given, or others for the duration of the block."""
    from ovasabi.kernel.call.context import PLATFORM
    from ovasabi.kernel.service.shards import HOME, ShardUnknown
    from ovasabi.system.campaign.directory import shard_of

    shard = HOME if campaign == PLATFORM else await shard_of(home, campaign)
    if shard == HOME:
        yield home
        return
    if (url := settings.shard_urls.get(shard)) is None:
        raise ShardUnknown(shard=shard)
    database = await _pools(url, pool, settings).open()
    try:
        yield database
    finally:
        await database.close()


def _pools(url: str, size: int, settings: Settings) -> "Database":
    from ovasabi.database.connection import Database
    from ovasabi.lifecycle import log_epochs
    from ovasabi.security.secret_key_file import secret_keys

    return Database(
        url,
        readers=size,
        writers=size,
        timeout_seconds=STATEMENT_SECONDS,
        connected=log_epochs.noticing(url, say),
        secret_keys=secret_keys(settings),
    )


async def campaign_number(registry: "ServiceRegistry", slug_or_number: str) -> int:
    """Returns the number of a campaign; raises NoSuchCampaign, with a suggestion, if it does not exist."""
    from ovasabi.kernel.call.context import acting, on_platform, system_context
    from ovasabi.kernel.store.listing import ListRequest
    from ovasabi.system.campaign.directory import number_of

    try:
        return await number_of(registry.database, slug_or_number)
    except OvasabiError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
    with acting(system_context("cli")), on_platform("to suggest the campaign that was meant"):
        page = await registry.named("campaign").list(ListRequest(page_size=1000))
    slugs = sorted(str(campaign.slug) for campaign in page.items)
    near = nearest(slug_or_number, slugs, 0.5)
    available = f"Available campaigns: {', '.join(slugs[:20])}." if slugs else "There are no campaigns yet."
    raise NoSuchCampaign(name=slug_or_number, hint=f"Did you mean {near}?" if near else available)


def exists(home: Home) -> bool:
    """Returns whether the embedded database has been created."""
    return (home.data / "PG_VERSION").exists()


def say(sentence: str) -> None:
    """Prints a message for people; not on standard output, which may be piped."""
    click.echo(sentence, err=True)


def _not_reached(home: Home) -> StartError:
    if (run := home.running()) is not None:
        return StartError(
            problem=f"OVASABI is running in {home.path}, but the password of its database is not known here.",
            hint=f"Set OVASABI_DATABASE_URL as for that process. Without the password, it is {run['database_url']}.",
        )
    problem = "The database in {} is not running." if exists(home) else "There is no database in {} yet."
    return StartError(
        problem=problem.format(home.path),
        hint="Start it with `ovasabi up` in another terminal, or set OVASABI_DATABASE_URL.",
    )
