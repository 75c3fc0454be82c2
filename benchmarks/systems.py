"""The systems that are measured over HTTP, each one process as its users run it, on a database of its own."""

import asyncio
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from benchmarks.lab import CAMPAIGN, Lab, clean_environment
from benchmarks.plan import BenchmarkError
from benchmarks.rows import Table, drafts

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "build" / "bench-peers"
PEER_APPS = {"fastapi": "benchmarks.peers.fastapi_app:app", "litestar": "benchmarks.peers.litestar_app:app"}
NAMES = ("ovasabi", *PEER_APPS)
KEY = "a-key-of-the-peers"


class System:
    """A server process, where it listens, and what there is to ask it for."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.log = name, log
        port, self.grpc_port = _free_ports(2)
        self.address = f"http://127.0.0.1:{port}"
        self.headers: dict[str, str] = {}
        self.prefixes: list[str] = []
        self.ids: list[list[int]] = []
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [{"PORT": str(port), "GRPC": str(self.grpc_port)}.get(part, part) for part in command],
                cwd=ROOT,
                env=clean_environment(**environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def until_ready(self, path: str, seconds: float = 60) -> None:
        """Waits until it answers HTTP at all."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(urllib.request.Request(self.address + path, headers=self.headers), timeout=5)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        raise BenchmarkError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")

    @property
    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MB; PostgreSQL is none of them."""
        kilobytes = 0
        for pid in _family(self.process.pid):
            status = Path(f"/proc/{pid}/status").read_text()
            kilobytes += int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
        return round(kilobytes / 1024, 1)

    def stop(self) -> None:
        """Stops it in good order, or by force if that takes too long."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_ovasabi(lab: Lab, url: str, key: str, log_name: str = "ovasabi") -> System:
    """`ovasabi serve` on a database."""
    environment = {"OVASABI_DATABASE_URL": url, "OVASABI_HOME": str(lab.folder / "home")}
    command = [sys.executable, "-m", "ovasabi", "serve", "--port", "PORT", "--grpc-port", "GRPC"]
    system = System("ovasabi", command, environment, lab.folder / f"{log_name}.log")
    system.headers = {"Authorization": f"Bearer {key}"}
    system.until_ready("/readyz")
    return system


async def ovasabi(lab: Lab, rows: int) -> System:
    """OVASABI with a key of the campaign in the role of a writer."""
    url = await lab.fresh("ovasabi_http", of_ovasabi=True)
    table = Table.of_ovasabi(rows, lab.campaign)
    await fill_ovasabi(lab, "ovasabi_http", table)
    system = start_ovasabi(lab, url, lab.key)
    system.prefixes, system.ids = [f"/v1/campaigns/{CAMPAIGN}"], [table.ids]
    return system


async def fill_ovasabi(lab: Lab, database: str, table: Table) -> None:
    """Puts rows into a database of OVASABI's, with their natural keys."""
    script = await asyncio.to_thread(
        table.write, lab.folder / f"{database}-{table.campaign}", drafts(table.count, "old")
    )
    await asyncio.to_thread(lab.psql, database, script)
    keys = f"""INSERT INTO master_key SELECT campaign_id, 'content', 'slug', slug, master_id
               FROM service_content_main WHERE campaign_id = {table.campaign}"""
    await lab.execute(database, keys)
    await lab.settle(database)


async def peer(lab: Lab, name: str, rows: int) -> System:
    """A peer: uvicorn with uvloop and httptools, and no log of what it answers."""
    url = await lab.fresh(f"peer_{name}")
    command = [str(PEERS / "bin" / "python"), "-m", "uvicorn", PEER_APPS[name], "--port", "PORT"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    system = System(name, command, {"BENCH_URL": url, "BENCH_KEY": KEY}, lab.folder / f"{name}.log")
    system.headers = {"X-API-Key": KEY}
    system.until_ready("/")
    table = Table(rows, 1, lambda number: number + 1)
    script = await asyncio.to_thread(table.write, lab.folder / f"{name}-rows", drafts(rows, "old"))
    await asyncio.to_thread(lab.psql, f"peer_{name}", script)
    sequences = [f"SELECT setval(pg_get_serial_sequence('{t}', 'id'), {rows})" for t in ("master", "service_event")]
    await lab.execute(f"peer_{name}", *sequences)
    await lab.settle(f"peer_{name}")
    system.prefixes, system.ids = ["/v1/campaigns/1"], [table.ids]
    return system


async def start(lab: Lab, name: str, rows: int) -> System:
    """Starts a system by its name, with its rows."""
    return await (ovasabi(lab, rows) if name == "ovasabi" else peer(lab, name, rows))


def require_peers() -> None:
    """Sees to it that the peers' environment is there."""
    if not (PEERS / "bin" / "python").exists():
        raise BenchmarkError("The peers are not installed: run `make bench`, which installs them.")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open:
        listeners = [open.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]
