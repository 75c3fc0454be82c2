"""SQL is put together in a few modules only; elsewhere in Python it is whole statements, which the rule can read."""

from pathlib import Path

import pytest

import ovasabi
from tests.unit.kernel.statements.rule.sql_in_python import sql_of

PACKAGE = Path(ovasabi.__file__).parent

GENERATOR = "the generator: its statements are golden files, and the rule reads them"
BUILDERS = {
    "cli/migrate.py": "the text of a statement for the operator; the ids are those of files",
    "database/connection.py": "SET takes no parameters; the number is ours",
    "database/embedded.py": "CREATE DATABASE takes no parameters; the name is a constant",
    "database/sql.py": "here the scope is put into every other one",
    "kernel/statements/bounding.py": GENERATOR,
    "kernel/statements/catalog.py": GENERATOR,
    "kernel/statements/counting.py": GENERATOR,
    "kernel/statements/creating.py": GENERATOR,
    "kernel/statements/ids.py": GENERATOR,
    "kernel/statements/reading.py": GENERATOR,
    "kernel/statements/writing.py": GENERATOR,
    "kernel/store/filters.py": "conditions on declared columns, in parentheses; the rule reads lists with them",
    "kernel/store/listing.py": "conditions on declared columns: from where a page goes on",
    "kernel/transfer/line_decoder.py": "of SQLite: the lines that one import has seen",
    "lifecycle/catalog.py": "grants, owners and policies as the catalog names them, quoted by PostgreSQL itself",
    "lifecycle/declared_schema.py": "checks and indexes of declared columns, for migrations",
    "lifecycle/log_holders.py": "the text of a statement for the operator, which is not sent",
    "lifecycle/migrations.py": "SET takes no parameters; the role, the limits and the declared names are constants",
    "lifecycle/server_number.py": "SET takes no parameters; the role is a constant",
    "lifecycle/sql_objects.py": "the text of a plan, to be read and run; names and hashes are of the tree",
}
"""Where SQL is put together, and why that is safe."""

WHOLE = [
    'run("SELECT 1 FROM master")',
    'run("""\n  (SELECT 1 FROM master)""")',
    'run("-- all of it\\nSELECT 1 FROM master")',
    'run("/* all\\nof it */ SELECT 1 FROM master")',
    'run("select 1 from master")',
    'run("MERGE INTO master USING lease ON true WHEN MATCHED THEN DELETE")',
    'run("COPY master TO STDOUT")',
    'run("LOCK TABLE master")',
    'run("TABLE master")',
    'run("EXPLAIN SELECT 1 FROM master")',
    'run("TRUNCATE master")',
    'run("WITH a AS (SELECT 1) SELECT * FROM a, master")',
    'run(f"SELECT 1 FROM master")',
]
PUT_TOGETHER = [
    'run(f"SELECT {columns} FROM master")',
    'run("SELECT {} FROM master".format(columns))',
    'run("SELECT %s FROM master" % columns)',
    'run("SELECT * FROM " + table)',
    'run(verb + " FROM master WHERE id = 1")',
    'run("".join(["SELECT * ", "FROM master"]))',
    'run(" AND ".join(conditions))',
    'run("SELECT * FROM TABLE WHERE id = $1".replace("TABLE", table))',
    'run(Template("SELECT * FROM $table WHERE id = 1").substitute(table=table))',
    'sql = "SELECT * FROM master"\nsql += condition',
    'sql = "SELECT * FROM master"\nrun(sql + condition)',
    'sql = "SELECT * FROM master"\nrun(f"{sql} LIMIT 1")',
    'sql = "SELECT * FROM master"\nrun(" ".join([sql, condition]))',
    'sql = condition\nsql += " WHERE id = 1"',
    'SQL = load(__file__)\nrun(SQL["list"] + condition)',
    'SQL = load(__file__)\nrun(f"{SQL[name]} {condition}")',
    'run(f"delete from {table}")',
    'run(f"MERGE INTO {table} USING lease ON true WHEN MATCHED THEN DELETE")',
    'run(f"COPY {table} TO STDOUT")',
    'run(f"LOCK TABLE {table}")',
    'run(f"TRUNCATE TABLE {table}")',
    'run(f"/* all */ SELECT {columns}")',
    'parts = ["SELECT", "FROM master"]',
]
NEITHER = [
    '"""SELECT 1"""',
    'def f():\n    """Select a table from the list."""',
    'print(f"no {statement} here")',
    'print("Update the page, and select " + what)',
    'print(f"{count} of {all} rows were read from {file}")',
    'raise ValueError("Expected AND or OR in the filter")',
    'print("Select " + name + " from the list")',
    'VERBS = {"update": "PATCH", "delete": "DELETE"}',
]


def test_sql_is_put_together_in_the_listed_modules_alone() -> None:
    found = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if sql_of(file.read_text()).put_together}
    assert found <= BUILDERS.keys(), "SQL belongs into .sql files; a filter of a list is written with filter_of"
    assert found == BUILDERS.keys()


@pytest.mark.parametrize("source", WHOLE)
def test_a_whole_statement_is_found(source: str) -> None:
    found = sql_of(source)
    assert len(found.statements) == 1
    assert found.put_together == []


@pytest.mark.parametrize("source", PUT_TOGETHER)
def test_sql_that_is_put_together_is_found(source: str) -> None:
    assert sql_of(source).put_together


@pytest.mark.parametrize("source", NEITHER)
def test_text_that_is_no_sql_is_let_through(source: str) -> None:
    assert sql_of(source).put_together == []
    assert sql_of(source).statements == []
