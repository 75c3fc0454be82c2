"""Restores a backup into an empty database, in one transaction, and checks that it is whole; else it is empty again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from ovasabi.database.roles import END_OWNING, LET_OWN, ensure_roles
from ovasabi.lifecycle import log_epochs
from ovasabi.lifecycle.backup import manifest as manifests
from ovasabi.lifecycle.backup import tools
from ovasabi.lifecycle.backup.errors import RestoreFailed, RestoreUnchecked
from ovasabi.lifecycle.backup.inventory import (
    Server,
    analyse,
    differences,
    drop_objects,
    has_epochs,
    inventory_of,
    lacking,
    moved,
    objects_of,
    server_of,
    session,
)
from ovasabi.lifecycle.backup.manifest import DUMP, Manifest
from ovasabi.lifecycle.revisions import history

_ENCODING = "UTF8"


def check(directory: Path) -> Manifest:
    """Checks that a backup is complete and undamaged, and that this version knows its migrations; changes nothing."""
    manifest = manifests.read(directory)
    history().pending(manifest.inventory.revisions)
    return manifest


async def restore(
    url: str,
    directory: Path,
    *,
    embedded: bool,
    seconds: float,
    checked: Manifest | None = None,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Manifest:
    """Restores a backup into an empty database; raises RestoreFailed, and leaves it empty, if that fails.

    `checked` is what `check` returned, if it was called already: it reads the whole dump.
    """
    manifest = checked or check(directory)
    # One transaction leaves all of it, or nothing.
    arguments = ["--single-transaction", "--exit-on-error", "--no-tablespaces", str(directory / DUMP)]
    try:
        async with asyncio.timeout(seconds):
            server = await _require(url, manifest)
            program, version = tools.tool("pg_restore", server.major, embedded=embedded)
            await ensure_roles(url)
            async with _all_or_nothing(url):
                progress(f"Restoring {manifest.rows:,} rows with pg_restore {version}.")
                async with session(url) as connection:
                    await connection.execute(LET_OWN)
                await tools.run(program, url, arguments)
                async with session(url) as connection:
                    await connection.execute(END_OWNING)
                progress("Checking that everything is there.")
                await _verify(url, manifest)
                await _begin_epoch(url, manifest)
    except tools.ToolFailed as error:
        raise RestoreFailed(problem=str(error), hint=error.hint) from error
    except TimeoutError as error:
        raise RestoreFailed(problem=f"it was not complete within {seconds / 60:,.0f} minutes") from error
    return manifest


async def _require(url: str, manifest: Manifest) -> Server:
    """Checks that a backup can be restored into a database; raises RestoreFailed if not."""
    async with session(url) as connection:
        server = await server_of(connection)
        objects = await objects_of(connection)
        extensions, roles = await lacking(connection, manifest.inventory)
    if objects:
        problem = f"the database is not empty: it has {', '.join(objects)}"
        raise RestoreFailed(
            problem=problem, hint="Restore into a new database, or into an OVASABI_HOME that does not exist yet."
        )
    if not server.sees_all:
        problem = "row-level security would hide rows from the login"
        raise RestoreFailed(problem=problem, hint="Use a superuser, or a login with BYPASSRLS and CREATEROLE.")
    if server.major < manifest.server.major:
        problem = f"it is from PostgreSQL {manifest.server.version}, and this server is {server.version}"
        raise RestoreFailed(problem=problem, hint=f"Use PostgreSQL {manifest.server.major} or newer.")
    if server.encoding != _ENCODING:
        problem = f"the encoding of the database is {server.encoding}"
        raise RestoreFailed(problem=problem, hint="Create it from template0, with the encoding UTF8.")
    if extensions:
        problem = f"the server does not have the extension {', '.join(extensions)}"
        raise RestoreFailed(problem=problem, hint="Install PostgreSQL's contrib modules.")
    if roles:
        problem = f"the server does not have the role {', '.join(roles)}"
        raise RestoreFailed(problem=problem, hint="Create it there, without a login if you do not need one.")
    return server


@asynccontextmanager
async def _all_or_nothing(url: str) -> AsyncIterator[None]:
    """Empties the database again if the block fails or is cancelled, even after the restore was committed."""
    try:
        yield
    except BaseException:
        try:
            async with session(url) as connection:
                await drop_objects(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise RestoreUnchecked(problem=str(error).rstrip(".") or type(error).__name__) from error
        raise


async def _begin_epoch(url: str, manifest: Manifest) -> None:
    """Begins an epoch of the event log, so that the events of the other server come before all that are yet to come.

    A database of a version without epochs gets its first one, and then this one, from the migration and the start.
    """
    async with session(url) as connection:
        if not await has_epochs(connection):
            return
    why = f"It was restored from the backup of {manifest.created_at:%Y-%m-%d %H:%M} UTC."
    await log_epochs.begin(url, why, last_position=manifest.log_end)
    async with session(url) as connection:
        if (reason := await moved(connection)) is not None:
            raise RestoreFailed(problem=f"the event log is not whole: {reason.rstrip('.')}")


async def _verify(url: str, manifest: Manifest) -> None:
    """Compares what was restored with what was backed up; raises RestoreFailed if they differ."""
    async with session(url) as connection:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            told = differences(manifest.inventory, await inventory_of(connection))
        if told:
            problem = f"what was restored is not what was backed up: {'; '.join(told[:5])}"
            raise RestoreFailed(problem=problem, hint="It was removed again. Use another backup.")
        # Otherwise the first statements would be planned without statistics.
        await analyse(connection)
