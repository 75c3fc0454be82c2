"""`ovasabi backup` and `ovasabi restore`: a whole installation in a directory, and back into an empty database."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ovasabi.cli.connect import resource, say
from ovasabi.cli.interruption import run, telling
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
    done: list[Manifest] = []
    work = _backup(settings, directory.absolute(), hours * 3600, done)
    run(work, lambda: "the backup is complete" if done else "no backup was made")
    click.echo(f"{_described(done[0])}, backed up to {directory} in {time.monotonic() - began:,.1f} s.")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only check that the backup is complete and undamaged.")
@HOURS
def restore(directory: Path, check: bool, hours: float) -> None:
    """Restore the backup in DIRECTORY into an empty database.

    That is the database at OVASABI_DATABASE_URL, or a new embedded one in OVASABI_HOME.
    """
    from ovasabi.discovery import discover
    from ovasabi.lifecycle.backup.dump_rows import check_rows
    from ovasabi.lifecycle.backup.restore import check as checked

    settings, began = load_settings(), time.monotonic()
    with telling("the backup was not checked" if check else "nothing was restored"):
        discover()
        manifest = checked(directory.absolute())  # before a database is created for it
        if check:
            check_rows(directory.absolute(), manifest)
    if check:
        click.echo(f"{_described(manifest)}; the backup is complete.")
        return
    done: list[Manifest] = []
    work = _restore(settings, directory.absolute(), manifest, hours * 3600, done)
    run(work, lambda: "everything was already restored and checked" if done else "nothing was restored")
    click.echo(f"{_described(manifest)}, restored and checked in {time.monotonic() - began:,.1f} s.")
    _advise(manifest, settings)


async def _backup(settings: Settings, directory: Path, seconds: float, done: "list[Manifest]") -> None:
    from ovasabi.discovery import discover
    from ovasabi.lifecycle.backup.save import save

    discover()
    embedded = settings.database_url is None
    async with resource(settings, start=True) as url:
        done.append(await save(url, directory, embedded=embedded, seconds=seconds, progress=say))


async def _restore(
    settings: Settings, directory: Path, manifest: "Manifest", seconds: float, done: "list[Manifest]"
) -> None:
    from ovasabi.lifecycle.backup.restore import restore

    embedded = settings.database_url is None
    async with resource(settings, start=True, create=True) as url:
        await restore(url, directory, embedded=embedded, seconds=seconds, checked=manifest, progress=say)
        done.append(manifest)


def _described(made: "Manifest") -> str:
    tables = len(made.inventory.tables)
    return f"{made.rows:,} rows in {tables} tables ({made.dump.bytes / 1e6:,.1f} MB, PostgreSQL {made.server.version})"


def _advise(made: "Manifest", settings: Settings) -> None:
    members = made.inventory.members
    for role in sorted(members):
        for login in members[role]:
            say(f"The login {login} was a member of {role}. If it is needed here: GRANT {role} TO {login}")
    embedded = settings.database_url is None
    say("Run: ovasabi up" if embedded else "Run: ovasabi migrate, then: ovasabi serve")
