"""`ovasabi migrate`: the database's schema brought to this version, planned, or a new migration written."""

import asyncio
import contextlib
import io
import tempfile
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import click

from ovasabi.cli.connect import exists, resource, say
from ovasabi.cli.home import Home
from ovasabi.errors import StartError
from ovasabi.settings import Settings, load_settings


@click.command()
@click.option("--plan", is_flag=True, help="Print the SQL that would run, and touch nothing.")
@click.option("--new", "message", metavar="MESSAGE", help="Write the migration from the database to the declarations.")
def migrate(plan: bool, message: str | None) -> None:
    """Bring the database's schema to this version, and make the partitions of the months ahead.

    It works on OVASABI_DATABASE_URL, else on the embedded database, which is started for it if it does not run.
    """
    if plan and message is not None:
        raise click.UsageError("--plan and --new are two things: ask for one.")
    settings = load_settings()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # what Alembic says to its own users
        warnings.simplefilter("ignore")
        answer = asyncio.run(_plan(settings) if plan else _new(settings, message) if message else _upgrade(settings))
    click.echo(answer)


async def _plan(settings: Settings) -> str:
    from ovasabi.lifecycle import migrations

    async with _plannable(settings) as url:
        return (await migrations.plan(url)).strip() or "nothing to do"


async def _upgrade(settings: Settings) -> str:
    from ovasabi.database.connection import Database
    from ovasabi.discovery import discover
    from ovasabi.lifecycle import migrations, partitions

    discover()
    async with resource(settings, start=True, create=True) as url:
        await _answers(url)
        await migrations.upgrade(url, progress=say)
        database = await Database(url, readers=1, writers=1).open()
        try:
            made = await partitions.ensure(database, settings.months_ahead)
        finally:
            await database.close()
    return f"The schema is at {migrations.head()}; {made} partitions were made."


async def _new(settings: Settings, message: str) -> str:
    from ovasabi.discovery import discover
    from ovasabi.lifecycle import migrations

    discover()
    async with resource(settings, start=True) as url:
        await _answers(url)
        if (revision := await migrations.current_revision(url)) != migrations.head():
            problem = f"The database is at {revision or 'nothing'}, and the newest migration is {migrations.head()}."
            raise StartError(problem=problem, hint="Run `ovasabi migrate` first.")
        path = await migrations.new(url, message)
    return "no difference" if path is None else str(path)


@contextlib.asynccontextmanager
async def _plannable(settings: Settings) -> AsyncIterator[str]:
    """The database to plan for. Where there is none yet, an empty one that is gone afterwards."""
    from ovasabi.database.embedded import EmbeddedServer

    if settings.database_url is not None or exists(Home(settings.home)):
        async with resource(settings, start=True) as url:
            await _answers(url)
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="ovasabi-plan-") as folder:
        async with EmbeddedServer(Path(folder) / "postgres") as server:
            yield server.url()


async def _answers(url: str) -> None:
    """Whether the database lets us in; StartError in a sentence if not."""
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=10)
        await connection.close(timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or "it did not answer in 10 s"
        raise StartError(
            problem=f"The database cannot be reached: {reason}.", hint="Look at OVASABI_DATABASE_URL."
        ) from error
