"""The data directory of the embedded server: creating it with initdb, checking its version."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from ovasabi.database.os_user import OsUser
from ovasabi.database.postmaster import SUPERUSER
from ovasabi.errors import StartError

INITDB_WITHIN = 300.0


def environment() -> dict[str, str]:
    """Returns the environment of PostgreSQL's programs: no secrets, and nothing to redirect them (PGDATA, PGPORT)."""
    # Includes the shifted clock of a test run: a server whose date differs from its clients' lacks their partitions.
    inherited = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "DATEFUDGE", "FAKETIME", "FAKETIME_DONT_RESET", "TMPDIR")
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in inherited if name in os.environ}


def is_initialised(data: Path, version: int) -> bool:
    """Returns whether the directory holds a database of this major version; False if it is missing or empty.

    Raises StartError if it holds anything else.
    """
    try:
        written_by = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if data.is_dir() and any(data.iterdir()):
            raise StartError(
                problem=f"{data} is neither empty nor a PostgreSQL data directory.",
                hint="Move it elsewhere, or choose another OVASABI_HOME.",
            ) from None
        return False
    if written_by != str(version):
        raise StartError(
            problem=f"The data in {data} was written by PostgreSQL {written_by}, but this is PostgreSQL {version}.",
            hint=f"Dump it with PostgreSQL {written_by} and restore it here, or choose another OVASABI_HOME.",
        )
    return True


async def initialise(data: Path, version: int, binaries: Path, account: OsUser, log: Path) -> None:
    """Creates the data directory under a temporary name and renames it when complete, so that it is never partial."""
    new = data.with_name(f"{data.name}.new")
    for locale in _locales(version):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        account.give(new)
        if await _initdb(binaries, new, locale, account, log) == 0:
            new.rename(data)
            return
    raise StartError(problem=f"PostgreSQL could not create its data directory: {last_words(log)}.", hint=f"See {log}.")


def last_words(log: Path, since: int = 0) -> str:
    """Returns the last log lines that explain a failure: the fatal ones if there are any, otherwise the last ones."""
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 20_000))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    fatal = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:", "could not"))]
    return "; ".join((fatal or lines)[-3:]).rstrip(".") or "no message was logged"


def _locales(version: int) -> list[list[str]]:
    """Returns locales that sort by code point and classify all letters, best first: small images lack C.UTF-8."""
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else []
    return [[f"--locale={name}", *provider] for name in ("C.UTF-8", "C")]


async def _initdb(binaries: Path, new: Path, locale: list[str], account: OsUser, log: Path) -> int:
    # Local connections are trusted: only the owner can enter the socket's directory. Other connections are rejected.
    options = ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--encoding=UTF8", "--no-instructions"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220  (only starting it blocks)
            [binaries / "initdb", f"--pgdata={new}", f"--username={SUPERUSER}", *options, *locale],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            start_new_session=True,
            **account.identity(),
        )
    try:
        async with asyncio.timeout(INITDB_WITHIN):
            while process.poll() is None:  # noqa: ASYNC110  (a process has no event to wait for)
                await asyncio.sleep(0.02)
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
    return process.returncode
