"""The program itself, started as a user starts it, on a home of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from ovasabi_client import Client
from tests import command_line


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Program:
    """`ovasabi` on one home: up and down again, killed, and asked."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")},
            "OVASABI_HOME": str(home),
            "OVASABI_PORT": str(port),
            "OVASABI_GRPC_PORT": str(free_port()),
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = ""
        self._log: IO[str] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def up(self, seconds: float = 60) -> str:
        """Starts it and waits until it is ready; answers what it printed until then."""
        path = self.home.parent / f"up-{time.monotonic_ns()}.log"
        self._log = path.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ovasabi", "up"],
            env=self.environment,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.output = path.read_text()
            if "Try:" in self.output and "contents'\n" in self.output:
                return self.output
            assert self.process.poll() is None, self.output
            time.sleep(0.02)
        raise AssertionError(f"it was not ready in time: {self.output}")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stops it as Ctrl-C does; answers its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert self._log is not None
        self._log.close()
        self.output = Path(self._log.name).read_text()
        return code

    def run(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs another command of it to its end."""
        return command_line.run(*arguments, env=self.environment, cwd=self.home.parent, text=text)

    @property
    def key(self) -> str:
        """The operator key."""
        return (self.home / "operator.key").read_text().strip()

    def client(self) -> httpx.Client:
        """An HTTP client with the operator key."""
        return httpx.Client(base_url=self.address, headers={"authorization": f"Bearer {self.key}"}, timeout=30)

    def api(self, retries: int = 3) -> Client:
        """The typed client, with the operator key."""
        return Client(self.address, self.key, retries=retries)

    def curls(self) -> list[str]:
        """The curl lines that it printed."""
        return re.findall(r"^  (curl .*)$", self.output, re.MULTILINE)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program on an empty home; stopped at the end, whatever happened."""
    made = Program(tmp_path / "home", free_port())
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
