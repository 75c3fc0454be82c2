"""Every package has its layer: a new one fails the import contracts until it is given one; a new service needs none."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import ovasabi

PACKAGE = Path(ovasabi.__file__).parent
PROJECT = PACKAGE.parents[1] / "pyproject.toml"
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
CONTRACTS = {
    contract["name"]: contract for contract in tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
}
TOP = {name.strip() for layer in CONTRACTS["Dependencies point downwards"]["layers"] for name in layer.split("|")}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The packages and modules of the tree, all of them empty, under the contracts of the tree."""
    for file in PACKAGE.rglob("*.py"):
        copy = tmp_path / "ovasabi" / file.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (tmp_path / "pyproject.toml").write_text(PROJECT.read_text())
    return tmp_path


def lint(house: Path) -> str:
    """What the import contracts say of a tree."""
    environment = {**os.environ, "PYTHONPATH": str(house)}
    run = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=house,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.stdout + run.stderr


def add(house: Path, *packages: str) -> None:
    """Adds empty packages."""
    for name in packages:
        (house / "ovasabi" / name).mkdir(parents=True)
        (house / "ovasabi" / name / "__init__.py").touch()


def test_the_module_that_starts_the_program_is_bound_as_well(house: Path) -> None:
    main = house / "ovasabi" / "__main__.py"
    main.write_text("import ovasabi.cli\n")
    assert "0 broken" in lint(house)
    for module in ("codegen", "services.content.service"):
        main.write_text(f"import ovasabi.{module}\n")
        said = lint(house)
        assert "1 broken" in said, said
        assert f"ovasabi.__main__ -> ovasabi.{module}" in said, said


def test_a_new_package_has_no_layer_and_a_new_service_needs_none(house: Path) -> None:
    add(house, "services/gift", "system/gift", "kernel/store/gift", "gateway/http/gift")
    assert "0 broken" in lint(house)
    add(house, "console", "kernel/graph", "gateway/console")
    (house / "ovasabi" / "practices.py").touch()
    said = lint(house)
    assert re.search(r"3 broken", said), said
    for module in ("ovasabi.console", "ovasabi.practices", "ovasabi.kernel.graph", "ovasabi.gateway.console"):
        assert module in said, said


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("Product services are discovered, never imported", {"services"}),
        ("Only the command line imports code generation", {"cli", "codegen"}),
    ],
)
def test_what_may_not_be_imported_is_forbidden_to_every_layer(name: str, allowed: set[str]) -> None:
    contract: dict[str, Any] = CONTRACTS[name]
    assert set(contract["source_modules"]) == {f"ovasabi.{layer}" for layer in TOP - allowed}
