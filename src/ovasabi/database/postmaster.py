"""The processes of a data directory's PostgreSQL: which run, where they listen, and how they are stopped."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SUPERUSER = "postgres"
# Fast shutdown writes a checkpoint; immediate shutdown leaves recovery to the next start; the last resort as well.
SHUTDOWN = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
STRAGGLERS_LEAVE_WITHIN = 5.0


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` in the data directory says."""

    pid: int
    socket: Path
    port: int
    ready: bool

    def url(self, database: str) -> str:
        return socket_url(self.socket, self.port, database)


def socket_url(socket: Path, port: int, database: str) -> str:
    """The address of a database behind a Unix socket, in the form that asyncpg, SQLAlchemy and psql all read."""
    return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(socket), safe='/')}&port={port}"


def running(data: Path) -> Postmaster | None:
    """The postmaster that serves this data directory now, if one does."""
    if (noted := _noted(data)) is None or not _serves(noted.pid, data):
        return None
    return noted


def stop_leftovers(data: Path) -> bool:
    """Stop whatever a killed process left running on this data directory; True if there was something.

    Only the holder of the directory's lock may call this. A postmaster.pid that names a process of somebody else
    (process ids are used again, in containers at once) would keep PostgreSQL from starting and is removed; that is
    safe only here, after every process that works in the directory is gone.
    """
    found = False
    if (postmaster := running(data)) is not None:
        found = True
        shut_down(postmaster.pid, lambda: not _serves(postmaster.pid, data))
    if backends := _working_in(data):
        found = True
        # Without their postmaster they end by themselves, unless they compute: then they are ended.
        if not _wait(lambda: not _working_in(data), STRAGGLERS_LEAVE_WITHIN):
            for pid in backends:
                _signal(pid, signal.SIGKILL)
            _wait(lambda: not _working_in(data), STRAGGLERS_LEAVE_WITHIN)
    noted = _noted(data)
    if noted is not None and _exists(noted.pid) and not _serves(noted.pid, data):
        (data / "postmaster.pid").unlink()
    return found


def shut_down(pid: int, gone: Callable[[], bool]) -> None:
    """Stop a postmaster: fast, then immediate, then by force, each for a bounded time."""
    for number, seconds in SHUTDOWN:
        _signal(pid, number)
        if _wait(gone, seconds):
            return


def _noted(data: Path) -> Postmaster | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port, socket = int(lines[0]), int(lines[3]), Path(lines[4])
    except (OSError, ValueError, IndexError):
        return None  # absent, not ours to read, or not written to the end yet
    return Postmaster(pid, socket, port, ready=len(lines) > 7 and lines[7].strip() == "ready")


def _serves(pid: int, data: Path) -> bool:
    """Whether this process works in the data directory, as a postmaster does; without /proc, whether it lives."""
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
        return None  # ended meanwhile, a zombie, or somebody else's


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
