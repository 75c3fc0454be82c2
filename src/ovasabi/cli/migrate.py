"""`ovasabi migrate`: migrates the database schema to this version, shows the plan, writes or renumbers migrations."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ovasabi.cli.connect import exists, resource, say
from ovasabi.cli.home import Home
from ovasabi.cli.interruption import run
from ovasabi.errors import StartError
from ovasabi.lifecycle.revisions import renumber
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.servers import Databases

_RESUMED = "steps that were complete remain, nothing is half done, and the next `ovasabi migrate` continues"


@click.command()
@click.option("--plan", is_flag=True, help="Print the SQL that would be executed, without changing anything.")
@click.option(
    "--new",
    "message",
    metavar="MESSAGE",
    help="Write a migration that brings the database in line with the declarations.",
)
@click.option(
    "--renumber", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Give a migration of your own a new id, if a release has one with the same id. Can be repeated.",
)  # fmt: skip
@click.option(
    "--give-up-lost", is_flag=True,
    help="Free the slugs of campaigns that a server of OVASABI_SHARDS lost when it was restored.",
)  # fmt: skip
def migrate(plan: bool, message: str | None, files: tuple[Path, ...], give_up_lost: bool) -> None:
    """Migrate the database schema to this version, and create the partitions of the months ahead.

    Uses OVASABI_DATABASE_URL if it is set, and otherwise the embedded database, which is started if necessary.
    """
    if plan + (message is not None) + bool(files) + give_up_lost > 1:
        raise click.UsageError("--plan, --new, --renumber and --give-up-lost cannot be used together.")
    if files:
        click.echo(_renumber(files))
        return
    settings = load_settings()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # hides Alembic's own output
        warnings.simplefilter("ignore")
        if plan:
            outcome = run(_plan(settings), "nothing was changed")
        elif message:
            outcome = run(_new(settings, message), "no migration was written")
        else:
            outcome = run(_upgrade(settings, give_up_lost), _RESUMED)
    click.echo(outcome)


def _renumber(files: tuple[Path, ...]) -> str:
    """Gives migrations new ids; returns what was written, and what a database needs that has them already."""
    written = renumber(files)
    lines = [f"wrote {each.file}" for each in written]
    lines += ["", "Before `ovasabi migrate`, run this in each database that they have already been applied to:"]
    update = "  UPDATE alembic_version SET version_num = '{}' WHERE version_num = '{}';"
    return "\n".join([*lines, *(update.format(each.new, each.old) for each in written if each.last)])


async def _plan(settings: Settings) -> str:
    from ovasabi import server_states
    from ovasabi.database.session import open_session
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.kernel.service.shards import HOME
    from ovasabi.lifecycle.report import MIGRATE
    from ovasabi.servers import urls_of

    discovered()
    async with _plannable(settings) as url:
        if not settings.shard_urls:
            return await _planned(url) or "nothing to do"
        plans = {}
        for number, each in urls_of(url, settings).items():
            await _check_connection(each)
            plans[number] = await _planned(each)
        home = await open_session(url)
        try:
            states = await server_states.states_of(home, settings.shard_urls)
        finally:
            await home.close()
        for number, state in states.items():
            if state.remedy == MIGRATE:
                plans[number] += f"\n-- the replication of the platform's rows is set up again: {state.text}"
        return "\n\n".join(
            f"-- server {number}{' (home)' if number == HOME else ''}\n{plan.strip() or '-- nothing to do'}"
            for number, plan in plans.items()
        )


async def _planned(url: str) -> str:
    """Returns the SQL that `migrate` would run on a server; empty if there is nothing to do."""
    from ovasabi.lifecycle import log_epochs, migrations

    parts = [(await migrations.plan(url)).strip()]
    if (reason := await log_epochs.pending(url)) is not None:
        parts.append(f"-- {reason} The event log begins a new epoch.\nSELECT log_arrived();")
    return "\n\n".join(filter(None, parts))


async def _upgrade(settings: Settings, give_up_lost: bool) -> str:
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.kernel.service.shards import HOME
    from ovasabi.lifecycle import (
        log_epochs,
        migrations,
        partitions,
        replication,
        server_number,
        serving_login,
        sql_objects,
    )
    from ovasabi.servers import opened, urls_of
    from ovasabi.system.campaign import directory

    discovered()
    created = 0
    async with resource(settings, start=True, create=True) as home:
        for number, url in urls_of(home, settings).items():
            await _check_connection(url)
            await migrations.upgrade(url, progress=say)
            await server_number.settle(url, settings.number_of(number), of_home=number == HOME)
            await log_epochs.settle(url, say)
            await serving_login.settle(url, settings, number, say)
        await replication.connect(urls_of(home, settings), HOME, say)
        async with opened(home, settings) as databases:
            for number, database in databases.items():
                created += await partitions.complete(database, settings.months_ahead)
                await directory.reconcile(databases[HOME], database, number)
                await _tell_lost(databases, number, give_up_lost)
        for name in await sql_objects.tables_missing(home):
            say(f"no migration creates the table of {name}: run `ovasabi migrate --new {name}`")
    return f"The schema is at {' and '.join(migrations.heads())}; partitions created: {created}."


async def _tell_lost(databases: "Databases", number: int, give_up: bool) -> None:
    from ovasabi.kernel.service.shards import HOME
    from ovasabi.system.campaign import directory

    home, server = databases[HOME], databases[number]
    if give_up:
        if given_up := await directory.give_up(home, server, number):
            say(f"given up, because server {number} has lost them: the campaigns {', '.join(given_up)}")
    elif lost := await directory.lost(home.read, server.read, number):
        what = "a campaign" if len(lost) == 1 else f"{len(lost):,} campaigns"
        say(
            f"server {number} lacks {what} of the directory, see `ovasabi status`: restore a newer backup of it, or run"
        )
        say("  ovasabi migrate --give-up-lost")


async def _new(settings: Settings, message: str) -> str:
    from ovasabi.gateway.contract.checks import discovered
    from ovasabi.lifecycle import migrations

    discovered()
    async with _plannable(settings) as url:
        if not _has_database(settings):
            await migrations.upgrade(url)  # the temporary one, to compare with
        if lacking := await migrations.pending(url):
            problem = f"The database lacks these migrations: {', '.join(lacking)}."
            raise StartError(problem=problem, hint="Run `ovasabi migrate` first.")
        path = await migrations.new(url, message)
    return "no difference" if path is None else str(path)


def _has_database(settings: Settings) -> bool:
    return settings.database_url is not None or exists(Home(settings.home))


@contextlib.asynccontextmanager
async def _plannable(settings: Settings) -> AsyncIterator[str]:
    """Yields the URL of the database to plan for: a temporary empty one if there is no database yet."""
    from ovasabi.database.embedded import EmbeddedServer

    if _has_database(settings):
        async with resource(settings, start=True) as url:
            await _check_connection(url)
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="ovasabi-plan-") as folder:
        async with EmbeddedServer(Path(folder) / "postgres") as server:
            yield server.url()


async def _check_connection(url: str) -> None:
    """Checks that the database accepts connections; raises StartError if it does not."""
    import asyncpg

    from ovasabi.database.session import open_session

    try:
        connection = await open_session(url)
        await connection.close(timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or "it did not respond within 10 seconds"
        raise StartError(
            problem=f"The database cannot be reached: {reason}.", hint="Check OVASABI_DATABASE_URL."
        ) from error
