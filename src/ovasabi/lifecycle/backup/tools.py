"""PostgreSQL's own tools: finds those of a version, and runs one, without a secret in its arguments or its output."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ovasabi.database import bundled
from ovasabi.settings import password_of, redact

# Where packages install the tools of a major version: Debian's, the RPMs, and Homebrew's.
INSTALLED = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/opt/homebrew/opt/postgresql@{}/bin")
_VERSION_WITHIN = 10.0
_ENDS_WITHIN = 10.0


class ToolFailed(Exception):
    """A tool is missing, or it failed; the message is the last of what it said, and the hint what to do."""

    def __init__(self, problem: str, hint: str | None = None) -> None:
        super().__init__(problem)
        self.hint = hint


def version_of(program: Path) -> str | None:
    """Returns the version of a tool, such as 18.6; None if it cannot be run."""
    try:
        ran = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_VERSION_WITHIN)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) ([0-9]+[0-9.a-z]*)", ran.stdout)
    return found[1] if found is not None and ran.returncode == 0 else None


def tool(name: str, major: int, *, embedded: bool, at_least: str = "0") -> tuple[Path, str]:
    """Returns a tool of a server's major version, and its version.

    Of another major version, it would refuse the server, or write what the server does not understand. A pg_dump of an
    earlier minor version may, too: that of 15.18 writes an option of 15.20 that no other server accepts. For a server
    that is not the embedded one, installed tools come first: they support TLS.
    """
    installed = [Path(place.format(major)) for place in INSTALLED]
    if (found := shutil.which(name)) is not None:
        installed.append(Path(found).parent)
    with contextlib.suppress(Exception):
        installed.insert(0 if embedded else len(installed), bundled.bundled_binaries(major))
    older = None
    for folder in installed:
        version = version_of(folder / name)
        if version is not None and version.partition(".")[0] == str(major):
            if _numbers(version) >= _numbers(at_least):
                return folder / name, version
            older = version
    if older is not None:
        raise ToolFailed(f"{name} {older} is older than the server, which is {at_least}", f"Update {name}.")
    hint = f"Install it (on Debian: postgresql-client-{major}), or add the directory that contains it to PATH."
    raise ToolFailed(f"{name} of PostgreSQL {major} is not installed", hint)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition(" ")[0])]


async def run(program: Path, url: str, arguments: Sequence[str | Path]) -> None:
    """Runs a tool on a database; raises ToolFailed if it fails. If the caller is cancelled, it is ended."""
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={redact(url)}",
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(url),
        cwd="/",
        umask=0o077,
        start_new_session=True,  # Ctrl-C reaches only us, and we end it
    )
    try:
        _, said = await process.communicate()
    finally:
        await _end(process)
    if process.returncode:
        text = reason(program.name, process.returncode, said.decode(errors="replace"))
        password = password_of(url)
        raise ToolFailed(text.replace(password, "***") if password else text)


def _environment(url: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    password = password_of(url)
    return inherited | {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"} | ({"PGPASSWORD": password} if password else {})


async def _end(process: asyncio.subprocess.Process) -> None:
    for stop in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN):
                await process.wait()


def reason(name: str, code: int, said: str) -> str:
    """Returns why a tool failed, of what it said; without the rows that it may have quoted."""
    if code < 0:
        return f"{name} was ended by signal {-code}"
    # The other lines may contain rows, which are personal data.
    telling = re.findall(r"^(?:\w+: error: |HINT: +)(?:could not execute query: )?(.+?)\.?$", said, re.MULTILINE)
    return "; ".join(telling[:3]) or f"{name} ended with exit code {code}"
