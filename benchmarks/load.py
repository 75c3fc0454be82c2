"""The load: wrk, a process of its own, with the requests that a file holds."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import msgspec

from benchmarks.plan import PAGE_SIZE, BenchmarkError, Measured
from benchmarks.rows import drafts, pairs, vocabulary
from benchmarks.systems import System

SCRIPT = Path(__file__).with_name("load.lua")
EXPECTED = {"create": 201, "get": 200, "list": 200, "search": 200, "search_new": 200}
BODIES = 1_000
IN_ORDER = ("search_new",)
"""What is asked in order, each request once; of other reads any, at random."""
NEW = 60_000


def require_wrk() -> None:
    """Sees to it that wrk is there: installs Debian's as root, else says what to do."""
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("wrk: apt-get install", file=sys.stderr)
        quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=False, **quiet)
    if not shutil.which("wrk"):
        raise BenchmarkError("There is no wrk, which makes the load of the benchmarks: as root, apt-get install wrk")


def wrk_version() -> str:
    """The version of wrk."""
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return found[0] if (found := re.findall(r"[0-9]+(?:\.[0-9]+)+", said)) else "unknown"


class Requests:
    """What is asked of one system, as the files that wrk reads."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.files = {operation: folder / f"{operation}.{system.name}" for operation in EXPECTED}
        self.folder = folder
        contents = [f"{prefix}/contents" for prefix in system.prefixes]
        self.create_path = contents[0]
        self._asked = dict.fromkeys(IN_ORDER, 0)
        words = vocabulary()[:500]
        self._write("get", [f"{path}/{id}" for path, ids in zip(contents, system.ids, strict=True) for id in ids])
        self._write("list", [f"{path}?page_size={PAGE_SIZE}" for path in contents])
        search = f"{contents[0]}:search?page_size={PAGE_SIZE}&q="
        self._write("search", [search + quote(word) for word in words])
        # OVASABI takes a last word that no space follows for the beginning of one.
        self._write("search_new", [search + quote(f"{first} OR {second} ") for first, second in pairs(NEW)])
        bodies = [{name: draft[name] for name in ("title", "body", "tags")} for draft in drafts(BODIES, "new")]
        self._write("create", [json.dumps(body)[:-1] for body in bodies])

    def measure(self, operation: str, connections: int, seconds: int) -> Measured:
        """Loads the system for some seconds; each answer must have the status that is due."""
        self.check(operation)
        method = "POST" if operation == "create" else "GET"
        headers = [part for name, value in self.system.headers.items() for part in ("-H", f"{name}: {value}")]
        threads = min(2, connections)
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", *headers]
        command += ["-s", str(SCRIPT), self.system.address, "--"]
        command += [method, self.create_path, str(self.files[operation]), f"w{time.time_ns():x}"]
        command += [str(self._asked[operation]), str(threads)] if operation in IN_ORDER else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(f"wrk failed at {operation} of {self.system.name}: {done.stderr or done.stdout}")
        measured = msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Measured)
        if operation in IN_ORDER:
            self._asked[operation] += measured.asked
            if self._asked[operation] >= NEW:
                raise BenchmarkError(f"{self.system.name} was faster at {operation} than there are requests for it.")
        if measured.errors:
            said = self.system.log.read_text()[-2000:]
            print(f"{self.system.name} had {measured.errors} errors at {operation}: {said}", file=sys.stderr)
        return measured

    def check(self, operation: str) -> None:
        """Sends one request by itself: wrk counts refusals, but would take any success for the right one."""
        with self.files[operation].open() as file:
            line = next(islice(file, self._asked.get(operation, 0), None)).rstrip("\n")
        if operation in IN_ORDER:
            self._asked[operation] += 1
        body = f'{line}, "slug": "c{time.time_ns():x}"}}'.encode() if operation == "create" else None
        url = self.system.address + (self.create_path if body else line)
        request = urllib.request.Request(url, body, self.system.headers | {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        if status != EXPECTED[operation] or ("search" in operation and not json.loads(text)["hits"]):
            raise BenchmarkError(f"{self.system.name} answers {operation} with {status}: {text[:500]!r}")

    def _write(self, operation: str, lines: list[str]) -> None:
        self.files[operation].write_text("\n".join(lines) + "\n")
