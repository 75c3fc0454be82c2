"""A backup or restore that is interrupted leaves nothing half done, and shows no password to other users meanwhile."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ovasabi.database.embedded import EmbeddedServer
from ovasabi.lifecycle.backup.restore import check, restore
from ovasabi.lifecycle.backup.save import save
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, eventually
from tests.integration.test_backup import LIMITS, folder, is_empty

__all__ = ["folder"]  # a fixture

PASSWORD = "s3cret-of-the-database"
BACKUP = "LOCK TABLE zebra"
RESTORE = "LOCK TABLE pg_catalog.pg_class IN SHARE MODE"
WAITING = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE application_name IN ('pg_dump', 'pg_restore') AND wait_event_type = 'Lock' AND datname = current_database()"""
INTERRUPTED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}


async def make_zebra(url: str) -> None:
    """Makes a table that a test can lock, and that nobody but pg_dump looks at."""
    async with admin(url) as connection:
        await connection.execute("CREATE TABLE zebra ()")


async def start(command: str, url: str, backup: Path, limit: int | None = None) -> asyncio.subprocess.Process:
    """Starts a command on a database; with a limit, no file that it writes may become larger."""
    limited = ["prlimit", f"--fsize={limit}"] if limit else []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    return await asyncio.create_subprocess_exec(
        *limited, sys.executable, "-m", "ovasabi", command, str(backup),
        env=environment | {"OVASABI_DATABASE_URL": url.replace("postgres@", f"postgres:{PASSWORD}@")},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        # Processes that a shell starts in the background ignore SIGINT, and so would those that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """The exit code of a command, and all that it printed."""
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, (output + errors).decode()


def command_lines() -> list[str]:
    """The command lines of all processes, as any user of the machine sees them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return found


def tool_waits(url: str) -> Callable[[], Awaitable[bool]]:
    """Whether PostgreSQL's tool waits for a lock in a database."""

    async def condition() -> bool:
        async with admin(url) as connection:
            return bool(await connection.fetchval(WAITING))

    return condition


async def interrupted(url: str, command: str, backup: Path, lock: str, number: int) -> tuple[int | None, str]:
    """Interrupts a command while its tool waits for a lock; answers its exit code and output."""
    async with admin(url) as connection, connection.transaction():
        await connection.execute(lock)
        process = await start(command, url, backup)
        await eventually(tool_waits(url), 60)
        lines = command_lines()
        assert any("pg_dump" in line or "pg_restore" in line for line in lines)
        assert not any(PASSWORD in line for line in lines)
        process.send_signal(number)
        answer = await ended(process)
        await connection.execute(WAITING.replace("count(*) > 0", "pg_terminate_backend(pid)"))
    return answer


@pytest.mark.parametrize(("number", "code"), INTERRUPTED.items(), ids=[number.name for number in INTERRUPTED])
async def test_an_interrupted_backup_leaves_no_backup_and_can_be_repeated(
    migrated_url: str, folder: Path, number: int, code: int
) -> None:
    await make_zebra(migrated_url)
    returned, said = await interrupted(migrated_url, "backup", folder / "backup", BACKUP, number)
    assert (returned, PASSWORD in said, "Traceback" in said) == (code, False, False), said
    assert number == signal.SIGKILL or said.splitlines()[-1] == "Interrupted; no backup was made."
    left = [path.name for path in folder.iterdir()]
    assert left == (["backup.partial"] if number == signal.SIGKILL else [])
    returned, said = await ended(await start("backup", migrated_url, folder / "backup"))
    assert (returned, PASSWORD in said) == (0, False), said
    assert [path.name for path in folder.iterdir()] == ["backup"]
    check(folder / "backup")


@pytest.mark.parametrize(("number", "code"), INTERRUPTED.items(), ids=[number.name for number in INTERRUPTED])
async def test_an_interrupted_restore_leaves_an_empty_database_and_can_be_repeated(
    server: EmbeddedServer, migrated_url: str, folder: Path, number: int, code: int
) -> None:
    made = await save(migrated_url, folder / "backup", **LIMITS)
    async with fresh(server) as url:
        returned, said = await interrupted(url, "restore", folder / "backup", RESTORE, number)
        assert (returned, PASSWORD in said, "Traceback" in said) == (code, False, False), said
        assert number == signal.SIGKILL or said.splitlines()[-1] == "Interrupted; nothing was restored."

        async def empty() -> bool:
            return await is_empty(url)

        await eventually(empty)
        assert await restore(url, folder / "backup", **LIMITS) == made


async def test_two_backups_into_one_directory_do_not_mix(migrated_url: str, folder: Path) -> None:
    await make_zebra(migrated_url)
    async with admin(migrated_url) as connection, connection.transaction():
        await connection.execute(BACKUP)
        first = await start("backup", migrated_url, folder / "backup")
        await eventually(tool_waits(migrated_url), 60)
        returned, said = await ended(await start("backup", migrated_url, folder / "backup"))
        assert returned == 1
        assert f"Process {first.pid} is already writing a backup to" in said
    assert (await ended(first))[0] == 0
    check(folder / "backup")


async def test_a_disk_that_is_full_leaves_no_backup(migrated_url: str, folder: Path) -> None:
    returned, said = await ended(await start("backup", migrated_url, folder / "backup", limit=100_000))
    assert (returned, "No backup was made: " in said, "Traceback" in said) == (1, True, False), said
    assert list(folder.iterdir()) == []
