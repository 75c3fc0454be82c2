"""Statements in .sql files: each is named, says what it is for and how it gets its scope, and is used."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ovasabi
from ovasabi.database.sql import Malformed, Scoping, blocks, load, scoped

PACKAGE = Path(ovasabi.__file__).parent
FILES = sorted(PACKAGE.rglob("*.sql"))
USED = re.compile(r'_SQL\["(\w+)"\]')

READ = "SELECT 1 FROM lease WHERE campaign_id = $2 AND scope.s IS NOT NULL"


def block(name: str = "one", purpose: str = "-- It reads.", scope: str = "-- scope: read", body: str = READ) -> str:
    """A block of a file, or what is to be no block."""
    return "\n".join(line for line in (f"-- name: {name}", purpose, scope, body) if line) + "\n"


def test_each_statement_of_a_file_is_used_by_its_module_and_there_is_no_other() -> None:
    assert len(FILES) >= 15
    for file in FILES:
        source = file.with_suffix(".py").read_text()
        assert set(USED.findall(source)) == load(str(file)).keys(), file


def test_a_reading_statement_gets_its_scope_by_a_lateral_join() -> None:
    (made,) = blocks(f"-- A file.\n\n{block()}", "a.sql")
    assert (made.name, made.scoping) == ("one", Scoping.READ)
    assert made.text == (
        "SELECT x.*\nFROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,\n"
        f"LATERAL (\n{READ}\n  OFFSET 0) AS x"
    )


def test_a_writing_statement_gets_its_scope_before_all_other_expressions() -> None:
    condition = "(SELECT scope.s FROM scope) IS NOT NULL"
    first = "WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s)"
    plain, several = f"DELETE FROM lease WHERE {condition}", f"WITH a AS (SELECT 1) DELETE FROM lease WHERE {condition}"
    assert scoped(plain, Scoping.WRITE) == f"{first}\n{plain}"
    assert scoped(several, Scoping.WRITE) == f"{first},\n{several.removeprefix('WITH ')}"


@pytest.mark.parametrize("scoping", [Scoping.READ, Scoping.WRITE])
def test_a_statement_in_which_nothing_waits_for_the_scope_is_refused(scoping: Scoping) -> None:
    with pytest.raises(Malformed, match=r"a\.sql: one: nothing waits for the scope"):
        blocks(block(scope=f"-- scope: {scoping}", body="SELECT 1 FROM lease WHERE campaign_id = $2"), "a.sql")


@pytest.mark.parametrize(
    "text",
    [
        block(name="two words"),
        block(purpose=""),
        block(scope=""),
        block(scope="-- scope: perhaps"),
        block(body=""),
        block() + block(),
    ],
    ids=["name", "purpose", "scope", "unknown scope", "statement", "twice"],
)
def test_a_block_that_lacks_something_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="needs a unique name, a purpose, a scope and a statement"):
        blocks(text, "a.sql")


def test_a_wheel_brings_the_statements_and_the_objects(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    answer = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=PACKAGE.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    installed = tmp_path / "installed" / "ovasabi"
    for file in FILES:
        assert (installed / file.relative_to(PACKAGE)).read_text() == file.read_text()
    code = (
        "from ovasabi.lifecycle import sql_objects as o; import ovasabi.system.operation.work as w; "
        "print(o.folder(), len(o.objects()), len(w._SQL))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env={"PYTHONPATH": str(installed.parent)}, capture_output=True, text=True
    )
    assert found.stdout.split()[0] == str(installed / "sql"), found.stderr
    assert int(found.stdout.split()[1]) > 50
