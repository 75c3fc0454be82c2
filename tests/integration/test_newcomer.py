"""A service with everything that can be declared, put into a copy of the project: the gate takes it as it is.

Its sources are in `tests/newcomer`. What is run in the copy are the tests that find services and methods by looking.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEWCOMER = ROOT / "tests" / "newcomer" / "parcel"
MINUTES = 20
"""For one step, on a machine that is busy."""
OWN = "parcel or depot"
"""What its tests are found by: its types are parcel, parcel_stop and depot."""
MIGRATE = """
from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import declared
from ovasabi.lifecycle import migrations
discover()
migrations.new_offline([of for of in declared.values() if of.service == "parcel"], "parcel")
"""
API = "from ovasabi.cli import main; main()"
INDEXES = {
    "clients/python/src/ovasabi_client/__init__.py",
    "clients/python/src/ovasabi_client/api_async.py",
    "clients/python/src/ovasabi_client/api.py",  # which git ignores
    "docs/state-machines.md",
}
"""The lists of all services, which are made."""
GATE = {
    "generated files": ["tests/unit/codegen/test_generated_files.py", "tests/unit/codegen/test_client_source.py"],
    "contract": ["tests/unit/gateway", "tests/unit/cli", "-k", f"not codegen and ({OWN})"],
    "errors and budgets": ["tests/unit/gateway/test_error_registry.py", "tests/unit/test_budgets.py"],
    "conformance": ["tests/conformance", "-k", OWN],
    "schema": ["tests/conformance", "-k", "pg18 and migrations"],
    "client": ["tests/integration/gateway/test_client_tour.py", "-k", f"{OWN} or beside"],
    "doors and permissions": ["tests/integration/gateway/test_parity.py", "-k", OWN],
    "broken messages": ["tests/integration/gateway/test_grpc_fuzz.py", "-k", OWN],
    "document": ["tests/integration/gateway/test_openapi.py"],
    "world of the fuzzer": ["tests/fuzz", "-k", "the_world_has"],
}

pytestmark = pytest.mark.timeout(MINUTES * 60)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A copy of the project, and its files before the service came."""
    folder = tmp_path_factory.mktemp("project")
    folder.chmod(0o755)  # PostgreSQL's user reads the sources if we are root
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "dist")
    for part in ("src", "migrations", "sql", "tests", "api", "clients", "docs", "benchmarks"):
        shutil.copytree(ROOT / part, folder / part, ignore=left_out)
    for file in ("pyproject.toml", ".gitignore", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / file, folder)
    return folder, contents(folder)


@pytest.fixture(scope="module")
def project(before: tuple[Path, dict[str, bytes]]) -> Path:
    """The copy with the service: its folder, its migration, and what `make api` makes."""
    folder, _ = before
    shutil.copytree(NEWCOMER, folder / "src/ovasabi/services/parcel", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (["-c", MIGRATE], ["-c", API, "api"], ["clients/python/unasync.py"]):
        succeed(folder, *command)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a project by path, but what Python leaves behind."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def succeed(folder: Path, *arguments: str) -> str:
    """Runs Python in a project, away from the sources of this one; answers what it printed, and fails if it does."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
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
    assert all("parcel" in path for path in added)
    assert {"api/ovasabi/parcel/v1/parcel.proto", "docs/errors/parcel.md"} < added


def test_what_was_made_is_what_would_be_made_again(project: Path) -> None:
    assert succeed(project, "-c", API, "api", "--check") == ""


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "check", "--no-cache"],
        ["-m", "ruff", "format", "--check", "--no-cache"],
        ["-m", "mypy", "--no-error-summary", "--cache-dir", os.devnull],
        ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"],
    ],
    ids=["lint", "format", "types", "layers"],
)
def test_it_passes_what_is_checked_without_running(project: Path, command: list[str]) -> None:
    succeed(project, *command)


@pytest.mark.parametrize("tests", GATE.values(), ids=GATE)
def test_it_passes_the_tests_that_find_it(project: Path, tests: list[str]) -> None:
    printed = succeed(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert " passed" in printed
