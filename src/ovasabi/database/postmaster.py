"""The PostgreSQL processes of a data directory: finding them, where they listen, and stopping them."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SUPERUSER = "postgres"
# A fast shutdown writes a checkpoint; after an immediate one, or a kill, the next start performs crash recovery.
SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
BACKENDS_EXIT_WITHIN = 5.0


@dataclass(frozen=True)
class Postmaster:
    """The contents of `postmaster.pid` in the data directory."""

    pid: int
    socket: Path
    port: int
    ready: bool

    def url(self, database: str) -> str:
        return socket_url(self.socket, self.port, database)


def socket_url(socket: Path, port: int, database: str) -> str:
    """Returns the URL of a database behind a Unix socket, in the form that asyncpg, SQLAlchemy and psql all accept."""
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket), safe='/')}&port={port}"


def running(data: Path) -> Postmaster | None:
    """Returns the postmaster running on this data directory, if there is one."""
    if (recorded := _recorded(data)) is None or not _serves(recorded.pid, data):
        return None
    return recorded


def stop_leftovers(data: Path) -> bool:
    """Stops the PostgreSQL processes that a killed process left on this data directory; returns whether it found any.

    Only the holder of the directory's lock may call this. If postmaster.pid names an unrelated process (process ids
    are reused, in containers almost at once), it would prevent PostgreSQL from starting, so it is removed; that is safe
    only here, after every process that works in the directory has ended.
    """
    found = False
    if (postmaster := running(data)) is not None:
        found = True
        shut_down(postmaster.pid, lambda: not _serves(postmaster.pid, data))
    if backends := _working_in(data):
        found = True
        # Without their postmaster, backends exit on their own unless they are busy; then they are killed.
        if not _wait(lambda: not _working_in(data), BACKENDS_EXIT_WITHIN):
            for pid in backends:
                _signal(pid, signal.SIGKILL)
            _wait(lambda: not _working_in(data), BACKENDS_EXIT_WITHIN)
    recorded = _recorded(data)
    if recorded is not None and _exists(recorded.pid) and not _serves(recorded.pid, data):
        (data / "postmaster.pid").unlink()
    return found


def shut_down(pid: int, gone: Callable[[], bool]) -> None:
    """Stops a postmaster: with a fast shutdown, then an immediate one, then by force, each with a time limit."""
    for number, seconds in SHUTDOWN:
        _signal(pid, number)
        if _wait(gone, seconds):
            return


def _recorded(data: Path) -> Postmaster | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port, socket = int(lines[0]), int(lines[3]), Path(lines[4])
    except (OSError, ValueError, IndexError):
        return None  # missing, not readable, or only partly written so far
    return Postmaster(pid, socket, port, ready=len(lines) > 7 and lines[7].strip() == "ready")


def _serves(pid: int, data: Path) -> bool:
    """Returns whether this process works in the data directory, as a postmaster does; without /proc, if it exists."""
    if Path("/proc/self").exists():
        return _directory_of(pid) == data.resolve() and _is_postgres(pid)
    return _exists(pid)


def _working_in(data: Path) -> list[int]:
    directory = data.resolve()
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if _directory_of(pid) == directory and _is_postgres(pid)]


def _directory_of(pid: int) -> Path | None:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return None  # has ended, is a zombie, or belongs to another user


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
