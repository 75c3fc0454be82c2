"""The documentation, run as it is read: every `sh` and `python` block of a page, in order, against a running `up`.

Blocks of other kinds (`text`, `json`, `mermaid`) are not run. Pages say http://127.0.0.1:8000 and ~/.ovasabi, which are
the free port and the home directory of the test.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ovasabi

ROOT = Path(ovasabi.__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "clients/python/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
KINDS = {"sh", "python", "text", "json", "csv", "sql", "mermaid"}
ADDRESS, GRPC_ADDRESS = "127.0.0.1:8000", "127.0.0.1:8001"
EXCERPT = re.compile(r"^From \[`([^`]+)`\]\([^)]+\):\n\n```[a-z]+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# src/ovasabi/(services/\w+/\w+\.py)\n")
# Services that a page writes are used as discovery would, beside the real ones: every door and statement is made.
USE = """
import importlib, pathlib, types
import ovasabi.services
from ovasabi.discovery import discover
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.kernel.declare.entity import declared
from ovasabi.lifecycle.declared_schema import metadata_of
from ovasabi.kernel.service import services
from ovasabi.kernel.statements.writing import Statements

discover()
ovasabi.services.__path__.append(str(pathlib.Path("services").absolute()))
for folder in pathlib.Path("services").iterdir():
    for file in sorted(folder.glob("*.py")):
        importlib.import_module(f"ovasabi.services.{folder.name}.{file.stem}".removesuffix(".__init__"))
    assert any(of.service == folder.name for of in declared.values())
for of in declared.values():
    assert "INSERT INTO master" in Statements(of).create and Statements(of).update and of.draft and of.patch
metadata_of()
document([method for service in services for method in service.methods()])
"""
SHELL = """
set -euo pipefail
ovasabi() { PYTHON -c 'from ovasabi.cli import main; main()' "$@"; }
curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; }
"""


class Installation:
    """A running `up`, and what a user's shell needs to reach it."""

    def __init__(self, home: Path, port: int) -> None:
        self.port = port
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
        source = f"{Path(ovasabi.__file__).parents[1]}{os.pathsep}{ROOT / 'clients/python/src'}"
        self.environment = kept | {"HOME": str(home), "OVASABI_PORT": str(port), "PYTHONPATH": source}

    def run(self, page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
        """Runs the blocks of a page in one shell, in a directory of its own."""
        script = SHELL.replace("PYTHON", sys.executable)
        overlay: set[str] = set()
        said = page.read_text().replace(ADDRESS, f"127.0.0.1:{self.port}")
        for kind, text in BLOCK.findall(said.replace(GRPC_ADDRESS, f"127.0.0.1:{self.port + 1}")):
            if kind == "sh":
                script += f"{text}\n"
            elif kind == "python" and (place := FILE.match(text)):
                file = folder / place[1]
                overlay.add(file.parent.name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            elif kind == "python":
                script += f"{sys.executable} - <<'END_OF_BLOCK'\n{text}\nEND_OF_BLOCK\n"
        if overlay:
            script += f"{sys.executable} - <<'END_OF_BLOCK'\n{USE}\nEND_OF_BLOCK\n"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=self.environment | _sources_without(overlay, folder / "sources"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _sources_without(services: set[str], folder: Path) -> dict[str, str]:
    """The setting for a copy of the sources without services that a reader of the pages has added; empty if none."""
    source = Path(ovasabi.__file__).parent
    if not any((source / "services" / name).exists() for name in services):
        return {}
    shutil.copytree(source, folder / "ovasabi", ignore=shutil.ignore_patterns("__pycache__"))
    for name in services:
        shutil.rmtree(folder / "ovasabi" / "services" / name, ignore_errors=True)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'clients/python/src'}"}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """`ovasabi up`, ready, on a free port and in a home directory that PostgreSQL's user can reach."""
    home = Path(tempfile.mkdtemp(prefix="ovasabi-docs-"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Installation(home, port)
    log = (home / "up.log").open("wb")
    command = [sys.executable, "-c", "from ovasabi.cli import main; main()", "up"]
    process = subprocess.Popen(command, cwd=home, env=found.environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while b"OVASABI is listening on" not in (home / "up.log").read_bytes():
            assert process.poll() is None, (home / "up.log").read_text()
            assert time.monotonic() < deadline, (home / "up.log").read_text()
            time.sleep(0.1)
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        log.close()
        shutil.rmtree(home)


def name_of(page: Path) -> str:
    """A page as tests are named after it."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```sh" in page.read_text() or "```python" in page.read_text()], ids=name_of
)
def test_what_a_page_tells_to_do_works(page: Path, installation: Installation, tmp_path: Path) -> None:
    answer = installation.run(page, tmp_path)
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_blocks_of_known_kinds_and_links_that_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    assert len(BLOCK.findall(text)) * 2 == len(re.findall(r"^```", text, re.MULTILINE))
    assert {kind for kind, _ in BLOCK.findall(text)} <= KINDS
    for target in LINK.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        if "://" not in target:
            assert (page.parent / target).exists(), target


EXCERPTS = [(page, place, part) for page in PAGES for place, part in EXCERPT.findall(page.read_text())]


@pytest.mark.parametrize(("page", "place", "part"), EXCERPTS, ids=[f"{name_of(p)}-{place}" for p, place, _ in EXCERPTS])
def test_a_part_of_a_file_that_a_page_shows_is_in_the_file(page: Path, place: str, part: str) -> None:
    text = (ROOT / place).read_text()
    for block in part.split("\n\n"):
        assert f"\n{block.rstrip()}\n" in text, f"{page.name} shows of {place} what is not in it: {block}"


def test_there_are_pages_that_show_parts_of_files() -> None:
    assert len(EXCERPTS) >= 4
