"""The database that a command works on: the one that is named, the one that `up` runs, or one started for it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from ovasabi.cli.home import Home
from ovasabi.errors import Kind, OvasabiError, StartError, such_as
from ovasabi.settings import Settings

if TYPE_CHECKING:
    from ovasabi.database.connection import Database
    from ovasabi.kernel.service import ServiceRegistry

STATEMENT_SECONDS = 60.0


class NoSuchCampaign(OvasabiError):
    """The command names a campaign that is not there."""

    kind = Kind.NOT_FOUND
    code = "no_such_campaign"
    message = "There is no campaign {name!r}."
    example = such_as(name="pyhton")


@asynccontextmanager
async def resource(settings: Settings, *, start: bool = False, create: bool = False) -> AsyncIterator[str]:
    """The database's address. `start` runs a stopped embedded one for the block, `create` also makes a new one."""
    from ovasabi.database.embedded import EmbeddedServer, running_url

    home = Home(settings.home)
    url = settings.database_url.get_secret_value() if settings.database_url else running_url(home.data)
    if url is not None:
        yield url
        return
    if home.running() is not None or not start or not (create or exists(home)):
        raise _not_reached(home)
    home.hold()
    try:
        async with EmbeddedServer(home.data, progress=say) as server:
            yield server.url()
    finally:
        home.release()


@asynccontextmanager
async def open_database(settings: Settings, *, start: bool = False, pool: int = 1) -> AsyncIterator["Database"]:
    """Open pools on that database, which has to be at the newest migration. The services are discovered."""
    from ovasabi import runtime
    from ovasabi.database.connection import Database

    # A lost connection is told by our own error, in a sentence; asyncpg's pool would log it as a stack trace.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    async with resource(settings, start=start) as url:
        await runtime.check(url, settings)
        database = await Database(url, readers=pool, writers=pool, timeout_seconds=STATEMENT_SECONDS).open()
        try:
            yield database
        finally:
            await database.close()


async def campaign_number(registry: "ServiceRegistry", slug_or_number: str) -> int:
    """The number of a campaign; NoSuchCampaign with what was probably meant if there is none."""
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
    near = get_close_matches(slug_or_number, slugs, 1, cutoff=0.5)
    known = f"There are: {', '.join(slugs[:20])}." if slugs else "There is none yet."
    raise NoSuchCampaign(name=slug_or_number, hint=f"Did you mean {near[0]}?" if near else known)


def exists(home: Home) -> bool:
    """Whether the embedded database was made."""
    return (home.data / "PG_VERSION").exists()


def say(sentence: str) -> None:
    """A note for people: never on standard output, which may be piped on."""
    click.echo(sentence, err=True)


def _not_reached(home: Home) -> StartError:
    if (run := home.running()) is not None:
        return StartError(
            problem=f"OVASABI runs on {home.path} with a database whose password is not known here.",
            hint=f"Set OVASABI_DATABASE_URL, as for that process; without its password it is {run['database_url']}.",
        )
    there = "No database runs" if exists(home) else "There is no database yet"
    return StartError(
        problem=f"{there} on {home.path}.",
        hint="Start it with `ovasabi up` in another terminal, or set OVASABI_DATABASE_URL.",
    )
