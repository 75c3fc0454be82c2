"""The files in OVASABI_HOME besides the database: the lock of the running `up`, and the addresses it listens on."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from ovasabi.database.file_lock import FileLock, is_held
from ovasabi.database.os_user import make_directory
from ovasabi.errors import StartError
from ovasabi.settings import redact


class Run(TypedDict):
    """A running `up`, as recorded in `run.json`."""

    pid: int
    address: str
    grpc_address: str | None
    database_url: str
    started_at: str


class Home:
    """The directory of an installation; at most one `up` at a time holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "postgres"
        self.operator_key = path / "operator.key"
        self._run = path / "run.json"
        self._lock = FileLock(path / "up.lock")

    def hold(self) -> None:
        """Creates the directory and takes its lock; raises StartError if another `up` holds it."""
        try:
            make_directory(self.path)
            self._lock.acquire(
                f"OVASABI is already running in {self.path}, as process {{pid}}.",
                "Use it (`ovasabi status` shows its address), stop it, or choose another OVASABI_HOME.",
            )
        except OSError as error:
            problem = f"{self.path} cannot be used: {error.strerror}."
            raise StartError(problem=problem, hint="Set OVASABI_HOME to a directory that you own.") from error

    def note(self, address: str, grpc_address: str | None, database_url: str) -> None:
        """Records the addresses that this process listens on; never the database's password."""
        run = Run(
            pid=os.getpid(),
            address=address,
            grpc_address=grpc_address,
            database_url=redact(database_url),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        new = self._run.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(run, file, indent=2)
        new.replace(self._run)

    def release(self) -> None:
        self._run.unlink(missing_ok=True)
        self._lock.release()

    def running(self) -> Run | None:
        """Returns the `up` that is running here, ignoring the record that a killed one has left behind."""
        try:
            if not is_held(self._lock.path):
                return None
            run: Run = json.loads(self._run.read_text())
        except PermissionError as error:
            raise StartError(problem=f"{self.path} belongs to another user and cannot be read.") from error
        except (OSError, ValueError):
            return None
        return run
