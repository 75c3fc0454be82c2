"""Commands that are interrupted by real signals say what is true then, and the exit code names the signal."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ovasabi.database.sql import load
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle import log_epochs, sql_objects
from tests.conftest import new_campaign
from tests.integration.kernel.fixtures import admin, eventually, pools, waiting
from tests.integration.kernel.test_log_epochs import epochs

signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
LOCKS = {
    "before a step": load(sql_objects.__file__)["lock"],
    "in a step": "LOCK TABLE pg_catalog.pg_class IN SHARE MODE",
}
"""What another session holds while a migration is interrupted."""
locks = pytest.mark.parametrize("lock", LOCKS.values(), ids=list(LOCKS))


class Command:
    """A command that runs, with what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(1024):
            self.said += chunk.decode()

    async def has_said(self, text: str) -> None:
        """Waits until the command has said something."""

        async def condition() -> bool:
            return text in self.said

        await eventually(condition, 60)

    async def ended(self) -> tuple[int | None, str]:
        """The exit code, and the last line that was printed."""
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self._reading
        assert "Traceback" not in self.said, self.said
        return code, self.said.splitlines()[-1]


@asynccontextmanager
async def running(*arguments: str, **settings: str) -> AsyncIterator[Command]:
    """Runs a command for the duration of the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ovasabi", *arguments, env=environment | settings,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        # Processes that a shell starts in the background ignore SIGINT, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def free_port() -> str:
    """A port that nothing listens on, nor on the next one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(min(listener.getsockname()[1], 65_000))


@locks
@signals
async def test_a_migration_that_is_interrupted_is_continued_by_the_next(empty_url: str, number: int, lock: str) -> None:
    async with admin(empty_url) as connection, connection.transaction():
        await connection.execute(lock)
        async with running("migrate", OVASABI_DATABASE_URL=empty_url) as command:
            await command.has_said("migrating the database")
            if lock == LOCKS["in a step"]:
                await eventually(waiting(empty_url), 60)
            command.process.send_signal(number)
            code, told = await command.ended()
    assert (code, told.split(";")[0]) == (128 + number, "Interrupted")
    assert told.endswith("nothing is half done, and the next `ovasabi migrate` continues.")
    async with running("migrate", OVASABI_DATABASE_URL=empty_url) as command:
        assert (await command.ended())[0] == 0, command.said


@locks
@signals
async def test_a_start_that_is_interrupted_says_that_it_had_not_started(
    empty_url: str, tmp_path: Path, number: int, lock: str
) -> None:
    settings = {
        "OVASABI_DATABASE_URL": empty_url, "OVASABI_HOME": str(tmp_path), "OVASABI_PORT": free_port(),
        "OVASABI_GRPC_PORT": "0",
    }  # fmt: skip
    async with admin(empty_url) as connection, connection.transaction():
        await connection.execute(lock)
        async with running("up", **settings) as command:
            await command.has_said("migrating the database")
            if lock == LOCKS["in a step"]:
                await eventually(waiting(empty_url), 60)
            command.process.send_signal(number)
            answer = await command.ended()
    assert answer == (128 + number, "Interrupted; OVASABI had not started yet, and the next start continues.")
    async with running("up", **settings) as command:
        await command.has_said("OVASABI is listening")
        command.process.send_signal(number)
        assert await command.ended() == (0, "stopped")


@signals
async def test_a_new_epoch_that_is_interrupted_has_not_begun(migrated_url: str, number: int) -> None:
    await log_epochs.arrive(migrated_url)
    async with admin(migrated_url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE service_event IN ROW EXCLUSIVE MODE")
        arguments = ("events", "new-epoch", "--reason", "a test")
        async with running(*arguments, OVASABI_DATABASE_URL=migrated_url) as command:
            await eventually(waiting(migrated_url), 60)
            command.process.send_signal(number)
            answer = await command.ended()
    assert answer == (128 + number, "Interrupted; `ovasabi status` shows the epoch that the event log is in.")
    assert await epochs(migrated_url) == [0]


@signals
async def test_an_import_that_is_interrupted_twice_does_not_wait_for_its_batches(
    migrated_url: str, tmp_path: Path, number: int
) -> None:
    async with pools(migrated_url) as database:
        campaign = await new_campaign(ServiceRegistry(database))
    file = tmp_path / "contents.jsonl"
    file.write_text('{"title": "Tulips"}\n')
    arguments = ("import", "contents", str(file), "--campaign", str(campaign))
    async with admin(migrated_url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE master IN SHARE MODE")
        async with running(*arguments, OVASABI_DATABASE_URL=migrated_url) as command:
            await eventually(waiting(migrated_url), 60)
            command.process.send_signal(number)
            await command.has_said("Stopping after the current batches")
            command.process.send_signal(number)
            code, told = await command.ended()
    assert (code, told.split(",")[0]) == (128 + number, "Interrupted; 0 created")
    assert told.endswith("Run the command again to resume.")


@signals
async def test_a_call_that_is_interrupted_says_that_it_may_be_performed(number: int) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        arguments = ("contents", "create", "--campaign", "1", "--title", "x")
        async with running("call", "--address", address, *arguments, OVASABI_KEY="ovk_x") as command:
            client, _ = await asyncio.to_thread(deaf.accept)
            await asyncio.to_thread(client.recv, 1)
            command.process.send_signal(number)
            answer = await command.ended()
            client.close()
    assert answer == (128 + number, "Interrupted; the server may perform the call nevertheless.")
