"""An exclusive lock on a file. The operating system releases it when the process that holds it ends, in any way."""

import fcntl
import os
import time
from pathlib import Path

from ovasabi.errors import StartError

# `is_held` takes the lock for an instant, so `acquire` waits this many seconds before it gives up.
PATIENCE = 0.3


class FileLock:
    """An exclusive lock on the file `path`, which also contains the holder's process id for people to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __repr__(self) -> str:
        return f"<FileLock {self.path} {'held' if self._file is not None else 'free'}>"

    def acquire(self, problem: str, hint: str | None = None) -> None:
        """Acquires the lock, or raises StartError with `problem`, in which `{pid}` is the holder's process id."""
        if self._file is not None:
            return
        # Child processes do not inherit Python's descriptors: a PostgreSQL that outlives us does not hold the lock.
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if not _try_lock(file, PATIENCE):
            pid = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise StartError(problem=problem.replace("{pid}", pid), hint=hint)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Releases the lock. The file stays, because removing it would allow two processes to hold the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_held(path: Path) -> bool:
    """Returns whether a process holds the lock on this file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(file, 0)
    finally:
        os.close(file)


def _try_lock(file: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
