"""Makes a backup: a dump and its manifest, of one snapshot, in a directory that appears only when it is complete."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from ovasabi import __version__
from ovasabi.database.file_lock import FileLock
from ovasabi.lifecycle import sql_objects
from ovasabi.lifecycle.backup import manifest as manifests
from ovasabi.lifecycle.backup import tools
from ovasabi.lifecycle.backup.errors import BackupFailed
from ovasabi.lifecycle.backup.inventory import Inventory, inventory_of, log_end_of, sequences_of, server_of, session
from ovasabi.lifecycle.backup.manifest import DUMP, MANIFEST, Manifest

# What belongs to the server rather than to the installation; a subscription would also contain a password.
_LEFT_OUT = ("--no-tablespaces", "--no-publications", "--no-subscriptions", "--no-security-labels")
# Higher levels take several times as long, for a dump that is little smaller.
_COMPRESSION = "--compress=1"
_LOCK_WAIT = "--lock-wait-timeout=60s"


async def save(
    url: str,
    directory: Path,
    *,
    embedded: bool,
    seconds: float,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Manifest:
    """Makes a backup of a database in a new directory. What is written meanwhile is not in it, and does not wait."""
    try:
        with _being_written(directory) as partial:
            async with asyncio.timeout(seconds):
                made = await _save(url, partial, embedded, progress)
            _finish(partial, directory)
            return made
    except TimeoutError as error:
        raise BackupFailed(problem=f"it was not complete within {seconds / 60:,.0f} minutes") from error
    except tools.ToolFailed as error:
        raise BackupFailed(problem=str(error), hint=error.hint) from error
    except OSError as error:
        raise BackupFailed(problem=f"{directory} cannot be written ({error.strerror or error})") from error


async def _save(url: str, partial: Path, embedded: bool, progress: Callable[[str], None]) -> Manifest:
    async with session(url) as connection:
        server = await server_of(connection)
        if not server.sees_all:
            raise BackupFailed(
                problem="row-level security would hide rows from the login",
                hint="Use a login that is a superuser, or a member of ovasabi_owner with BYPASSRLS.",
            )
        if not (await sql_objects.state_of(connection)).revisions:
            raise BackupFailed(problem="the database has no OVASABI installation", hint="Check OVASABI_DATABASE_URL.")
        program, version = tools.tool("pg_dump", server.major, embedded=embedded, at_least=server.version)
        progress(f"Dumping the database with pg_dump {version}.")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            arguments = [
                "--format=custom", _COMPRESSION, _LOCK_WAIT, *_LEFT_OUT,
                "--snapshot", snapshot, "--file", partial / DUMP,
            ]  # fmt: skip
            log_end = await log_end_of(connection)
            # What the dump has of a sequence is not of the snapshot, but later, and so not behind what is read now.
            sequences = await sequences_of(connection)
            dumping = asyncio.create_task(tools.run(program, url, arguments))
            inventory = await _beside(dumping, connection, sequences)
    dump = await asyncio.to_thread(manifests.measured, partial / DUMP)
    made = Manifest(manifests.FORMAT, __version__, datetime.now(UTC), version, server, dump, inventory, log_end)
    (partial / MANIFEST).touch(mode=0o600)
    (partial / MANIFEST).write_bytes(manifests.written(made))
    return made


async def _beside(
    dumping: "asyncio.Task[None]", connection: asyncpg.Connection, sequences: dict[str, int]
) -> Inventory:
    """Returns the inventory of the snapshot, once the dump of it is complete too; the first failure ends both."""
    counting = asyncio.create_task(inventory_of(connection, sequences))
    try:
        await asyncio.gather(dumping, counting)
    finally:
        for task in (dumping, counting):
            task.cancel()
        await asyncio.wait((dumping, counting))
    return counting.result()


@contextmanager
def _being_written(directory: Path) -> Iterator[Path]:
    """Yields a directory beside the final one, which is removed at the end, unless it was renamed."""
    if directory.exists():
        problem = f"{directory} already exists"
        raise BackupFailed(problem=problem, hint="Choose a directory that does not exist yet.")
    partial = directory.with_name(f"{directory.name}.partial")
    partial.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(partial / "lock")
    lock.acquire(f"Process {{pid}} is already writing a backup to {directory}.", "Choose another directory.")
    try:
        for name in (DUMP, MANIFEST):  # of a backup that was killed
            (partial / name).unlink(missing_ok=True)
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        lock.release()


def _finish(partial: Path, directory: Path) -> None:
    """Gives a complete backup its name, after all of it is on disk."""
    (partial / "lock").unlink()
    for path in (partial / DUMP, partial / MANIFEST, partial):
        _sync(path)
    partial.rename(directory)
    _sync(directory.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some file systems cannot sync a directory.
        with contextlib.suppress(OSError) if path.is_dir() else contextlib.nullcontext():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
