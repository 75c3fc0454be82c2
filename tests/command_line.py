"""Commands in processes of their own that need not import the program anew: each is forked from one that has."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import ovasabi.services
from ovasabi.cli import main
from ovasabi.discovery import discover

SECONDS = 120
"""For one command, on a machine that is busy."""
COMMANDS = ("api", "call.command", "database_errors", "import_file", "keys", "migrate", "new", "status", "up")

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["pytest", "tests.command_line", *(f"ovasabi.cli.{name}" for name in COMMANDS)])
# pytest is the main module here, so that each process would import it first.
discover()


def run(
    *arguments: str, env: Mapping[str, str], cwd: Path | str = "/", text: str = "", services: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `ovasabi`, with the services of a further folder; returns its exit code and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(text)
        process = _forking.Process(target=_command, args=(arguments, dict(env), cwd, files, services))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, SECONDS)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(file.read_text() for file in files[1:]))


async def run_async(
    *arguments: str, env: Mapping[str, str], cwd: Path | str = "/", text: str = "", services: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The same, while the event loop goes on."""
    return await asyncio.to_thread(run, *arguments, env=env, cwd=cwd, text=text, services=services)


def _command(
    arguments: tuple[str, ...], env: dict[str, str], cwd: Path | str, files: list[Path], services: Path | None
) -> None:
    for number, file in enumerate(files):
        os.dup2(os.open(file, (os.O_CREAT | os.O_WRONLY) if number else os.O_RDONLY), number)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    if services is not None:
        ovasabi.services.__path__.append(str(services))
    sys.argv = ["ovasabi", *arguments]
    main()
