"""One holder at a time: a lock on a file, which the kernel gives back when its holder dies, however it dies."""

import fcntl
import os
import time
from pathlib import Path

from ovasabi.errors import StartError

# A look at the lock (`is_held`) takes it for an instant; the holder-to-be waits that long before it gives up.
PATIENCE = 0.3


class FileLock:
    """An exclusive lock on the file `path`, which also tells the holder's process id to people."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __repr__(self) -> str:
        return f"<FileLock {self.path} {'held' if self._file is not None else 'free'}>"

    def acquire(self, problem: str, hint: str | None = None) -> None:
        """Take the lock, or raise StartError with `problem`, in which `{pid}` is the holder's process id."""
        if self._file is not None:
            return
        # Python's descriptors are not inherited by children: PostgreSQL, outliving us, does not keep the lock.
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if not _try_lock(file, PATIENCE):
            pid = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise StartError(problem=problem.replace("{pid}", pid), hint=hint)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Give the lock back; the file stays, because removing a lock file lets two hold it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on this file."""
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
