"""A service with everything that can be declared, put into a copy of the project: the gate takes it as it is.

Its sources are in `tests/newcomer`. What is run in the copy are the tests that find services and methods by looking.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEWCOMER = ROOT / "tests" / "newcomer" / "sample_parcel"
MINUTES = 20
"""For one step, on a machine that is busy."""
OWN = "sample_parcel or sampleparcel or sample_depot or sampledepot"
"""What its tests are found by: its types are sample_parcel, sample_parcel_stop and sample_depot."""
MIGRATE = """
from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import declared
from ovasabi.lifecycle import migrations
discover()
migrations.new_offline([of for of in declared.values() if of.service == "sample_parcel"], "sample_parcel")
"""
API = "from ovasabi.cli import main; main()"
INDEXES = {
    "clients/python/src/ovasabi_client/__init__.py",
    "clients/python/src/ovasabi_client/api_async.py",
    "clients/python/src/ovasabi_client/api.py",  # which git ignores
    "docs/state-machines.md",
}
"""The lists of all services, which are made."""
FOUND_BY_NAME = ["generated_files", "client_source", "error_registry", "budgets"]
GATEWAY = ["client_tour", "parity", "grpc_fuzz", "openapi"]
GATE = {
    # What it makes, and what is checked of it, without a database.
    "unit tests": (
        ["tests/unit/codegen", "tests/unit/gateway", "tests/unit/cli", "tests/unit/test_budgets.py"],
        " or ".join([*(f"test_{name}" for name in FOUND_BY_NAME), f"(not codegen and ({OWN}))"]),
        FOUND_BY_NAME,
    ),
    # Whatever it declares is the same on both PostgreSQLs.
    "conformance and schema": (["tests/conformance"], f"{OWN} or (pg18 and migrations)", ["conformance"]),
    # The client, doors and permissions, broken messages, the document, the world of the fuzzer.
    "gateway": (
        [*(f"tests/integration/gateway/test_{name}.py" for name in GATEWAY), "tests/fuzz"],
        f"not pg15 and (test_openapi or {OWN} or beside or the_world_has)",
        [*GATEWAY, "fuzzing"],
    ),
}
"""Tests in the copy: where they are, which of them, and the files of which some must have run."""

pytestmark = pytest.mark.timeout(MINUTES * 60)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A copy of the project, and its files before the service came."""
    folder = tmp_path_factory.mktemp("newcomer") / "project"
    folder.mkdir()
    folder.chmod(0o755)  # PostgreSQL's user reads the sources if we are root
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "dist")
    for part in ("src", "migrations", "sql", "tests", "api", "clients", "docs", "benchmarks"):
        shutil.copytree(ROOT / part, folder / part, ignore=left_out)
    for file in ("pyproject.toml", ".gitignore", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / file, folder)
    if (ROOT / ".mypy_cache").is_dir():  # of `make lint`: without it, all types are checked from the beginning
        shutil.copytree(ROOT / ".mypy_cache", folder.parent / "types", dirs_exist_ok=True)
    return folder, contents(folder)


@pytest.fixture(scope="module")
def project(before: tuple[Path, dict[str, bytes]]) -> Path:
    """The copy with the service: its folder, its migration, and what `make api` makes."""
    folder, _ = before
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(NEWCOMER, folder / "src/ovasabi/services/sample_parcel", ignore=ignored)
    for command in (["-c", MIGRATE], ["-c", API, "api"], ["clients/python/unasync.py"]):
        succeed(folder, *command)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a project by path, but what Python leaves behind."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def succeed(folder: Path, *arguments: str) -> str:
    """Runs Python in a project, away from the sources of this one; answers what it printed, and fails if it does."""
    compiled = folder.with_name(f"{folder.name}-compiled")  # beside it, so that only sources are compared
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONPYCACHEPREFIX": str(compiled)}
    environment["MYPYPATH"] = str(folder / "src")
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=MINUTES * 60
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_it_adds_files_and_changes_none_but_the_lists_of_all_services(
    before: tuple[Path, dict[str, bytes]], project: Path
) -> None:
    was, now = before[1], contents(project)
    assert not was.keys() - now.keys()
    assert {path for path in was if was[path] != now[path]} == INDEXES
    added = now.keys() - was.keys()
    assert all("sample_parcel" in path for path in added)
    assert {"api/ovasabi/sample_parcel/v1/sample_parcel.proto", "docs/errors/sample_parcel.md"} < added


def test_what_was_made_is_what_would_be_made_again(project: Path) -> None:
    assert succeed(project, "-c", API, "api", "--check") == ""


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "check", "--no-cache"],
        ["-m", "ruff", "format", "--check", "--no-cache"],
        ["-m", "mypy", "--no-error-summary", "--cache-dir", "../types"],
        ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
    ],
    ids=["lint", "format", "types", "layers"],
)
def test_it_passes_what_is_checked_without_running(project: Path, command: list[str]) -> None:
    succeed(project, *command)


@pytest.mark.parametrize(("files", "which", "ran"), GATE.values(), ids=GATE)
def test_it_passes_the_tests_that_find_it(project: Path, files: list[str], which: str, ran: list[str]) -> None:
    printed = succeed(project, "-m", "pytest", "-v", "-p", "no:cacheprovider", *files, "-k", which)
    for file in ran:
        assert re.search(rf"{file}\S*::.* PASSED", printed), f"nothing of {file} was run"
