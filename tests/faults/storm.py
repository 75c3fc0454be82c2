"""Faults that strike the program and its server while callers work, and what they do to it."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import httpx

from ovasabi.database import postmaster
from tests.e2e.conftest import Program
from tests.faults.invariants import events_of, feed_of, violations
from tests.faults.workload import CALLERS, Caller, Follower, Ledger
from tests.integration.kernel.fixtures import eventually

DISK_MEGABYTES = 400
"""The size of the file system that the home is on: small enough to be full within a moment."""

Fault = Callable[["Storm"], Awaitable[None]]
"""What strikes; it ends when nothing more will happen by itself."""


class Storm:
    """The program on a home of its own, its callers, and the faults that strike it."""

    def __init__(self, program: Program, seed: int) -> None:
        self.program = program
        program.environment |= {"OVASABI_REQUEST_TIMEOUT_SECONDS": "5"}
        self.seed = seed
        self.ledger = Ledger()
        self.random = random.Random(seed)
        self.told: Callable[[str], object] = lambda text: None

    @property
    def postgres(self) -> int:
        """The process id of the server."""
        found = postmaster.running(self.program.home / "postgres")
        assert found is not None
        return found.pid

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection]:
        """A superuser's connection to the server."""
        found = postmaster.running(self.program.home / "postgres")
        assert found is not None
        connection = await asyncpg.connect(found.url("ovasabi"), timeout=10)
        try:
            yield connection
        finally:
            await connection.close(timeout=10)

    async def ready(self) -> None:
        """Waits until the program serves again."""

        async def is_ready() -> bool:
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=self.program.address, timeout=5) as client:
                    return (await client.get("/readyz")).status_code == 200
            return False

        await eventually(is_ready, 90)

    async def run(self, faults: Iterable["Fault"], calm: float = 1.0) -> None:
        """Lets callers work while the faults strike one after the other; what does not hold fails."""
        await asyncio.to_thread(self.program.up)
        headers = {"authorization": f"Bearer {self.program.key}"}
        ended = asyncio.Event()
        async with httpx.AsyncClient(base_url=self.program.address, headers=headers, timeout=15) as client:
            made = await client.post("/v1/campaigns", json={"slug": "storm", "title": "storm"})
            assert made.status_code == 201, made.text
            number, path = made.json()["campaign_id"], "/v1/campaigns/storm"
            follower = Follower(client, f"{path}/events:watch?heartbeat_seconds=1")
            following = asyncio.create_task(follower.follow())
            callers = [Caller(n, client, f"{path}/contents", self.ledger, self.seed) for n in range(CALLERS)]
            working = [asyncio.create_task(caller.work(ended)) for caller in callers]
            try:
                for fault in faults:
                    await asyncio.sleep(calm)
                    before = len(self.ledger.written)
                    self.told(f"{fault.__name__}: {before} created, {dict(self.ledger.statuses)}")
                    await fault(self)
                    await self.ready()
                    await eventually(self._more_than(before), 60)
                ended.set()
                await asyncio.gather(*working)
                await self._check(client, number, path, follower)
            finally:
                for task in (*working, following):
                    task.cancel()
                await asyncio.gather(*working, following, return_exceptions=True)

    def _more_than(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def more() -> bool:
            return len(self.ledger.written) > count

        return more

    async def _check(self, client: httpx.AsyncClient, number: int, path: str, follower: Follower) -> None:
        async with self.administrator() as connection:
            found = await violations(connection, number, self.ledger)
            events = await events_of(connection, number)
        assert found == []

        async def arrived() -> bool:
            return len(follower.ids) >= len(events)

        await eventually(arrived, 30)
        assert follower.ids == events, "the one who follows gets each event once, in order"
        assert await feed_of(client, f"{path}/events") == events
        assert len(self.ledger.written) > 0


async def kill_postgres(storm: Storm) -> None:
    """The server is killed; the program starts it again."""
    os.kill(storm.postgres, signal.SIGKILL)
    await asyncio.sleep(0.5)


async def kill_backend(storm: Storm) -> None:
    """One session is killed: the server ends all of them and recovers."""
    async with storm.administrator() as connection:
        pids = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'ovasabi'")
    os.kill(storm.random.choice(pids)[0], signal.SIGKILL)
    await asyncio.sleep(0.5)


async def end_sessions(storm: Storm) -> None:
    """All sessions are ended, again and again."""
    await _to_sessions(storm, "pg_terminate_backend", times=5, pause=0.2)


async def cancel_statements(storm: Storm) -> None:
    """All statements are cancelled, again and again."""
    await _to_sessions(storm, "pg_cancel_backend", times=10, pause=0.05)


async def _to_sessions(storm: Storm, function: str, *, times: int, pause: float) -> None:
    for _ in range(times):
        async with storm.administrator() as connection:
            await connection.execute(
                f"SELECT {function}(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        await asyncio.sleep(pause)


async def hang_postgres(storm: Storm) -> None:
    """The server and all its sessions stand still, and then go on."""
    pids = [storm.postgres, *_children(storm.postgres)]
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    await asyncio.sleep(3)
    for pid in pids:
        _signal(pid, signal.SIGCONT)


async def kill_program(storm: Storm) -> None:
    """The program is killed, and started again."""
    assert storm.program.process is not None
    storm.program.process.kill()
    await asyncio.to_thread(storm.program.process.wait)
    await asyncio.to_thread(storm.program.up)


async def stop_program(storm: Storm) -> None:
    """The program is stopped in good order, and started again."""
    await asyncio.to_thread(storm.program.stop, signal.SIGTERM)
    await asyncio.to_thread(storm.program.up)


async def refuse_changes(storm: Storm) -> None:
    """The server accepts no changes for a while, as a standby."""
    await _set(storm, "SET default_transaction_read_only = on")
    await end_sessions(storm)
    await asyncio.sleep(1)
    await _set(storm, "RESET default_transaction_read_only")


async def fill_disk(storm: Storm) -> None:
    """The file system of the home is full for a while."""
    filler = storm.program.home / "filler"
    with suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    await asyncio.sleep(3)
    filler.unlink()


FAULTS = [
    kill_postgres,
    cancel_statements,
    end_sessions,
    kill_program,
    hang_postgres,
    refuse_changes,
    kill_backend,
    stop_program,
]
"""All but a full disk, which needs a small file system."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A small file system in a folder; only root can mount it."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0755", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


async def _set(storm: Storm, what: str) -> None:
    async with storm.administrator() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE ovasabi {what}")


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
