"""The embedded PostgreSQL: a real server that we create, start, monitor and stop, reachable by a private socket only.

The server runs in its own session, so that Ctrl-C in the terminal reaches only us, and we can stop HTTP first. If we
are killed (kill -9), it keeps running; the next start, once it holds the lock on the data directory, shuts it down
properly and starts its own. The alternatives were worse: PR_SET_PDEATHSIG must be set between fork and exec (unsafe
with threads), is cleared when the user changes, and fires when the *thread* that forked ends; a watchdog process can
be killed too. Restarting the server instead of adopting it costs a fraction of a second, and the new server is our
child and has this version's settings.
"""

import asyncio
import atexit
import contextlib
import hashlib
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import asyncpg

from ovasabi.database import postmaster
from ovasabi.database.bundled import VERSION, bundled_binaries
from ovasabi.database.cluster import environment, initialise, is_initialised, last_words
from ovasabi.database.file_lock import FileLock
from ovasabi.database.os_user import OsUser, make_directory, os_user_for
from ovasabi.database.retry import Policy
from ovasabi.errors import StartError

DATABASE = "ovasabi"
PORT = 5432
# sun_path holds 108 bytes, including the terminating zero.
SOCKET_PATH_BYTES = 107
READY_WITHIN = 120.0  # crash recovery may have to replay a lot of WAL
REPORT_RECOVERY_AFTER = 3.0
LOG_BYTES = 10_000_000
RESTARTS = Policy(first=0.5, longest=30.0)
"""The pauses between starts that fail, or that do not last."""
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_locks_per_transaction": "1024",  # a query that cannot prune partitions locks them all
    "wal_compression": "on",
    "jit": "off",  # compilation takes longer than our short statements
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_min_error_statement": "panic",  # a failed statement may contain personal data: log its error, not its text
}


class EmbeddedServer:
    """One PostgreSQL server on one data directory, with its lock (`<data>.lock`) and log (`<data>.log`) beside it."""

    def __init__(
        self,
        data: Path,
        version: int = VERSION,
        binaries: Path | None = None,
        *,
        options: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.data = data.expanduser().absolute()
        self.version = version
        self.log = self.data.with_name(f"{self.data.name}.log")
        self._binaries = binaries
        self._options = SETTINGS | dict(options or {})
        self._progress = progress
        self._lock = FileLock(self.data.with_name(f"{self.data.name}.lock"))
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: Path | None = None

    def __repr__(self) -> str:
        state = f"running as {self.pid}" if self.is_running else "stopped"
        return f"<EmbeddedServer {self.version} on {self.data}, {state}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.is_running else None

    def url(self, database: str = DATABASE) -> str:
        """Returns the URL of a database on this server; restarts do not change it."""
        if self._socket is None:
            raise StartError(problem="The embedded server has not been started.")
        return postmaster.socket_url(self._socket, PORT, database)

    async def start(self) -> None:
        """Starts the server and waits until it responds; creates the data directory on first use.

        Raises StartError if the server does not start.
        """
        if self.is_running:
            return
        try:
            make_directory(self.data.parent)
            self._lock.acquire(
                f"The database in {self.data} is already in use by process {{pid}}.",
                "Stop that process, or choose another OVASABI_HOME.",
            )
            await self._start_locked()
        except OSError as error:
            await self.stop()
            raise StartError(
                problem=f"The database in {self.data} cannot be started: {error}.",
                hint=f"Check its permissions and free space, and see {self.log}.",
            ) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops the server with a checkpoint, or by force if that takes too long. Does nothing if it is stopped."""
        await asyncio.to_thread(self._stop)

    async def keep_running(self) -> None:
        """Restarts the server whenever it exits, for example because the OS killed it, or because its disk was full.

        It never gives up, but waits longer and longer between starts that fail or do not last.
        """
        failures = 0
        while True:
            started = time.monotonic()
            while self.is_running:  # noqa: ASYNC110  (a process has no event to wait for)
                await asyncio.sleep(0.2)
            failures = failures + 1 if time.monotonic() - started < READY_WITHIN else 1
            if failures > 1:
                await asyncio.sleep(RESTARTS.pause(failures - 1))
            self._progress("PostgreSQL exited unexpectedly; restarting it.")
            try:
                await self._start_locked()
            except (StartError, OSError) as error:
                self._progress(f"{error} It is tried again.")

    async def _start_locked(self) -> None:
        account = os_user_for(self.data)
        binaries = self._binaries or bundled_binaries(self.version)
        for parent in (*account.let_pass(self.data), *account.let_pass(binaries / "postgres")):
            self._progress(f"Added o+x to {parent}, so that the user {account.name} can run PostgreSQL.")
        self._rotate_log()
        if not is_initialised(self.data, self.version):
            self._progress(f"Creating a PostgreSQL {self.version} database in {self.data}.")
            await initialise(self.data, self.version, binaries, account, self.log)
        if await asyncio.to_thread(postmaster.stop_leftovers, self.data):
            self._progress("Stopped a PostgreSQL server that an earlier process had left running.")
        self._socket = _socket_directory(self.data, account)
        await self._launch(binaries, account)
        await self._create_database()

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)

    async def _launch(self, binaries: Path, account: OsUser) -> None:
        settings = self._options | {"unix_socket_directories": str(self._socket)}
        written = self.log.stat().st_size
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (only starting it blocks)
                [binaries / "postgres", "-D", self.data, *(f"--{name}={value}" for name, value in settings.items())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment(),
                start_new_session=True,
                **account.identity(),
            )
        atexit.register(self._stop)
        await self._until_ready(written)

    async def _until_ready(self, log_offset: int) -> None:
        started, reported = time.monotonic(), False
        while self.is_running:
            state = postmaster.running(self.data)
            if state is not None and state.pid == self.pid and state.ready:
                return
            waited = time.monotonic() - started
            if waited > READY_WITHIN:
                raise StartError(
                    problem=f"PostgreSQL was not ready within {READY_WITHIN:.0f} s.", hint=f"See {self.log}."
                )
            if waited > REPORT_RECOVERY_AFTER and not reported:
                reported = True
                self._progress("PostgreSQL is recovering from an interruption; this may take a minute.")
            await asyncio.sleep(0.02)
        raise StartError(problem=f"PostgreSQL exited: {last_words(self.log, log_offset)}.", hint=f"See {self.log}.")

    async def _create_database(self) -> None:
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=30, command_timeout=60)
            try:
                if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                    await connection.execute(f"CREATE DATABASE {DATABASE}")
            finally:
                await connection.close(timeout=10)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise StartError(
                problem=f"PostgreSQL started but does not respond: {error}.", hint=f"See {self.log}."
            ) from error

    def _stop(self) -> None:
        atexit.unregister(self._stop)
        process, self._process = self._process, None
        if process is not None:
            postmaster.shut_down(process.pid, lambda: process.poll() is not None)
        if self._socket is not None and self._socket != self.data:
            with contextlib.suppress(OSError):
                self._socket.rmdir()
        self._lock.release()


def running_url(data: Path, database: str = DATABASE) -> str | None:
    """Returns the URL of the server running on this data directory, whichever process started it; otherwise None."""
    found = postmaster.running(data)
    return found.url(database) if found is not None and found.ready else None


def _socket_directory(data: Path, account: OsUser) -> Path:
    """Returns the directory for the socket: the data directory, which is 0700, or if its path is too long, another."""
    if _fits(data):
        return data
    temporary = Path(tempfile.gettempdir())
    name = f"ovasabi-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
    path = (temporary if _fits(temporary / name) else Path("/tmp")) / name
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        account.give(path)
    found = path.lstat()
    # Other users can write to the temporary directory too: do not use what one of them created under our name.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
        path = Path(tempfile.mkdtemp(prefix="ovasabi-", dir=path.parent))
        account.give(path)
    return path


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES
