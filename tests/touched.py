"""The tests that a change of the working tree touches: `pytest --touched`, within a time that is given."""

import ast
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of quick runs."""
    group = parser.getgroup("quick runs")
    group.addoption("--touched", action="store_true", help="Run only what the working tree's change touches, on 18.")
    group.addoption("--seconds", type=float, default=None, help="Stop after so long, and say what was left out.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that the change does not touch, and other versions of PostgreSQL than the newest."""
    if not config.getoption("touched"):
        return
    files = touched(changed_paths(), sorted((ROOT / "tests").rglob("*.py")))
    kept = [item for item in items if item.path in files and "[pg15" not in item.nodeid]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


class TimeBox:
    """Stops a session when its time is used up, after the test that is running."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._left = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Counts what is to be run."""
        self._left = len(session.items)

    def pytest_runtest_logfinish(self) -> None:
        """Counts what was run."""
        self._left -= 1

    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Ends the session if there is something left to run and no time for it."""
        if nextitem is not None and time.monotonic() > self._end:
            item.session.shouldstop = f"the time is used up: {self._left - 1} tests were left out; run `make test`"


def pytest_configure(config: pytest.Config) -> None:
    """Sets the time box, if there is one."""
    if config.getoption("seconds") is not None:
        config.pluginmanager.register(TimeBox(config.getoption("seconds")))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A change that touches no test, and a run that was stopped in time without a failure, have not failed."""
    if not session.config.getoption("touched"):
        return
    stopped = exitstatus == pytest.ExitCode.INTERRUPTED and session.shouldstop and not session.testsfailed
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED or stopped:
        session.exitstatus = pytest.ExitCode.OK


def changed_paths() -> set[Path]:
    """The files that differ from the last commit, new ones too."""
    command = ["git", "status", "--porcelain", "--untracked-files=all", "-z", "--no-renames"]
    answered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {ROOT / entry[3:] for entry in answered.stdout.split("\0") if entry}


def touched(changed: set[Path], files: Iterable[Path]) -> set[Path]:
    """The files of tests that changed, that import what changed, or that stand where the sources' mirror stands."""
    names = {module_name(path) for path in changed if path.suffix == ".py"}
    mirrors = {_mirror(path) for path in changed}
    return {path for path in files if path in changed or imported(path) & names or path.parent in mirrors}


def module_name(path: Path) -> str:
    """The dotted name of a module of the sources or of the tests."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(part for part in (parts[1:] if parts[0] == "src" else parts) if part != "__init__")


def imported(path: Path) -> set[str]:
    """All modules that a file names in its imports, those inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _mirror(path: Path) -> Path | None:
    """Where the unit tests of a source file stand."""
    parts = path.relative_to(ROOT).parts
    return ROOT.joinpath("tests", "unit", *parts[2:-1]) if parts[:2] == ("src", "ovasabi") else None
