"""`ovasabi backup` and `ovasabi restore`: a whole installation in a directory, and back into an empty database."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ovasabi.cli.connect import resource, say
from ovasabi.settings import Settings, load_settings

if TYPE_CHECKING:
    from ovasabi.lifecycle.backup.manifest import Manifest

HOURS = click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=12,
    show_default=True,
    help="Give up after this time.",
)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@HOURS
def backup(directory: Path, hours: float) -> None:
    """Back up the database to DIRECTORY, which must not exist yet.

    OVASABI may keep running. The backup contains the digests of API keys, but neither the operator key nor passwords.
    """
    settings, began = load_settings(), time.monotonic()
    made = asyncio.run(_until_terminated(_backup(settings, directory.absolute(), hours * 3600)))
    click.echo(f"{_described(made)}, backed up to {directory} in {time.monotonic() - began:,.1f} s.")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only check that the backup is complete and undamaged.")
@HOURS
def restore(directory: Path, check: bool, hours: float) -> None:
    """Restore the backup in DIRECTORY into an empty database.

    That is the database at OVASABI_DATABASE_URL, or a new embedded one in OVASABI_HOME.
    """
    settings, began = load_settings(), time.monotonic()
    if check:
        from ovasabi.lifecycle.backup.restore import check as checked

        click.echo(f"{_described(checked(directory.absolute()))}; the backup is complete.")
        return
    made = asyncio.run(_until_terminated(_restore(settings, directory.absolute(), hours * 3600)))
    click.echo(f"{_described(made)}, restored and checked in {time.monotonic() - began:,.1f} s.")
    _advise(made)


async def _backup(settings: Settings, directory: Path, seconds: float) -> "Manifest":
    from ovasabi.discovery import discover
    from ovasabi.lifecycle.backup.save import save

    discover()
    embedded = settings.database_url is None
    async with resource(settings, start=True) as url:
        return await save(url, directory, embedded=embedded, seconds=seconds, progress=say)


async def _restore(settings: Settings, directory: Path, seconds: float) -> "Manifest":
    from ovasabi.discovery import discover
    from ovasabi.lifecycle.backup.restore import check, restore

    discover()
    check(directory)  # before a database is created for it
    embedded = settings.database_url is None
    async with resource(settings, start=True, create=True) as url:
        return await restore(url, directory, embedded=embedded, seconds=seconds, progress=say)


async def _until_terminated(work: "Awaitable[Manifest]") -> "Manifest":
    """Runs the work; SIGTERM interrupts it like Ctrl-C, so that it removes what it has begun."""
    task = asyncio.ensure_future(work)
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise click.Abort from None


def _described(made: "Manifest") -> str:
    tables = len(made.inventory.tables)
    return f"{made.rows:,} rows in {tables} tables ({made.dump.bytes / 1e6:,.1f} MB, PostgreSQL {made.server.version})"


def _advise(made: "Manifest") -> None:
    members = made.inventory.members
    for role in sorted(members):
        for login in members[role]:
            say(f"The login {login} was a member of {role}. If it is needed here: GRANT {role} TO {login}")
    say("Run `ovasabi migrate`, then start OVASABI.")
