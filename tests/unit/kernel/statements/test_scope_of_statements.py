"""Each statement that touches a table of campaigns sets its scope, waits for it, and names its campaign."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import postgast
import pytest

import ovasabi
from ovasabi.database.sql import Scoping, blocks
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.statements.catalog import statements_of
from tests.unit.kernel.statements.scope_rule import FUNCTIONS, TABLES, WITHOUT_CAMPAIGN, findings

PACKAGE = Path(ovasabi.__file__).parent
SQL = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|SET|DO|CALL|TRUNCATE)\s")

SLUG = "a slug is unique on the whole platform, and its index has no campaign"
EXCEPTIONS = {
    ("campaign: create", "service_campaign_main: its campaign is not compared with a value"): SLUG,
    ("campaign: update", "service_campaign_main: its campaign is not compared with a value"): SLUG,
    ("system/campaign/directory.sql: find", "service_campaign_main: its campaign is not compared with a value"): SLUG,
    ("kernel/store/history.sql: by_key", "master: its campaign is not compared with a value"): (
        "a campaign is created under a key of the platform and lives in itself; the key's row names its id"
    ),
    ("runtime.sql: campaigns", "service_campaign_main: its campaign is not compared with a value"): (
        "the number of all campaigns, for who runs the platform"
    ),
}
"""What stands alone, and why: on the platform, which sees all campaigns."""

PUT_TOGETHER = {
    "database/connection.py": "SET takes no parameters; the number is ours",
    "database/embedded.py": "CREATE DATABASE takes no parameters; the name is a constant",
    "database/sql.py": "here the scope is put into every other one",
    "lifecycle/catalog.py": "grants, owners and policies as the catalog names them, quoted by PostgreSQL itself",
    "lifecycle/migrations.py": "SET takes no parameters; the role and the limits are constants",
    "lifecycle/sql_objects.py": "the text of a plan, to be read and run; names and hashes are of the tree",
}
"""Where SQL is put together from parts by hand, outside of `kernel/statements`, and why."""


def product() -> Iterator[tuple[str, str, bool]]:
    """Every statement: where it is, its text, and whether it is part of a transaction that has a scope."""
    for of in declared.values():
        if of.cls.__module__.startswith("ovasabi."):
            for name, statement in statements_of(of).items():
                yield f"{of.name}: {name}", statement.text, False
    for file in sorted(PACKAGE.rglob("*.sql")):
        for block in blocks(file.read_text(), file.name):
            in_transaction = block.scoping is Scoping.TRANSACTION
            yield f"{file.relative_to(PACKAGE)}: {block.name}", block.text, in_transaction
    for file in sorted(PACKAGE.rglob("*.py")):
        for text in literals(file.read_text()):
            yield f"{file.relative_to(PACKAGE)}: {text[:60]}", text, False


def literals(source: str) -> Iterator[str]:
    """The string constants of a module that PostgreSQL's grammar takes for statements; docstrings are none."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in parts | said:
            continue
        if SQL.match(node.value) and is_sql(node.value):
            yield node.value


def is_sql(text: str) -> bool:
    """Whether PostgreSQL's grammar takes it."""
    try:
        return bool(postgast.parse(text).stmts)
    except postgast.PgQueryError:
        return False


def put_together(source: str) -> bool:
    """Whether a module has an f-string, a `%` or a `format` that begins like a statement."""
    begun: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=[first, _, *_]):
                begun.append(first)
            case ast.Call(func=ast.Attribute(value=first, attr="format")) | ast.BinOp(left=first, op=ast.Mod()):
                begun.append(first)
    return any(isinstance(first, ast.Constant) and SQL.match(str(first.value)) for first in begun)


STATEMENTS = list(product())


def test_every_statement_of_the_product_keeps_the_rule() -> None:
    found = {
        (where, finding)
        for where, text, in_transaction in STATEMENTS
        for finding in findings(text, in_transaction=in_transaction)
    }
    assert found - EXCEPTIONS.keys() == set()
    assert EXCEPTIONS.keys() - found == set(), "an exception that is no longer one is to be taken out"
    assert all(EXCEPTIONS.values())


def test_the_statements_that_are_looked_at_are_all_there() -> None:
    where = {place.partition(": ")[0] for place, *_ in STATEMENTS}
    assert {"content", "campaign", "user", "kernel/events/log.sql", "system/operation/work.sql"} <= where
    assert len(STATEMENTS) > 100
    assert {"master", "service_event", "lease", "operation_work", "service_content_main"} <= TABLES
    assert {"service_user_master"} == WITHOUT_CAMPAIGN
    assert {"search_entities", "search_names", "found_entities", "entity_exists"} <= FUNCTIONS


def test_no_sql_is_put_together_by_hand_outside_of_the_generator() -> None:
    found = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if "statements" not in file.parts and put_together(file.read_text())
    }
    assert found == PUT_TOGETHER.keys()


def test_what_is_put_together_is_found() -> None:
    assert put_together('x = f"SELECT {columns} FROM master"')
    assert put_together('x = "SELECT {} FROM master".format(columns)')
    assert not put_together('x = f"no {statement} here"')
    assert list(literals('"""SELECT 1"""\nrun("SELECT 2", "Update the page", f"SELECT {x}")')) == ["SELECT 2"]


SCOPE = "SELECT set_config('ovasabi.campaigns', $1, true) AS s"
LATERAL = f"SELECT x.* FROM ({SCOPE} OFFSET 0) AS scope, LATERAL ({{body}} OFFSET 0) AS x"
CTE = f"WITH scope AS MATERIALIZED ({SCOPE}) {{body}}"
FIRST = "(SELECT scope.s FROM scope) IS NOT NULL"

GOOD = [
    LATERAL.format(body="SELECT * FROM master AS m WHERE m.campaign_id = $2 AND scope.s IS NOT NULL"),
    LATERAL.format(body="SELECT * FROM master WHERE campaign_id = ANY ($2::int[]) AND scope.s IS NOT NULL"),
    LATERAL.format(
        body="SELECT m.* FROM service_event e JOIN master m ON m.campaign_id = e.campaign_id "
        "WHERE e.campaign_id = $2 AND scope.s IS NOT NULL"
    ),
    LATERAL.format(body="SELECT * FROM search_names($2, '{}', $3, 'text', 1) AS n WHERE scope.s IS NOT NULL"),
    CTE.format(body=f"UPDATE lease AS l SET token = 1 WHERE {FIRST} AND l.campaign_id = $2"),
    CTE.format(body="INSERT INTO lease (campaign_id, name) SELECT $2, $3 FROM scope WHERE scope.s IS NOT NULL"),
    CTE.format(body=f"DELETE FROM operation_work AS w WHERE {FIRST} AND w.campaign_id + 0 = $2"),
    "SELECT * FROM entity_type",
]
BAD = [
    ("SELECT * FROM master AS m WHERE m.campaign_id = $2", ["scope is not set", "before the scope"]),
    (LATERAL.format(body="SELECT * FROM master AS m WHERE m.campaign_id = $2"), ["before the scope"]),
    (LATERAL.format(body="SELECT * FROM master AS m WHERE scope.s IS NOT NULL"), ["not compared"]),
    (
        LATERAL.format(body="SELECT * FROM master m WHERE m.campaign_id = m.campaign_id AND scope.s IS NOT NULL"),
        ["not compared"],
    ),
    (
        LATERAL.format(body="SELECT * FROM master m WHERE (m.campaign_id = $2 OR m.id = $3) AND scope.s IS NOT NULL"),
        ["not compared"],
    ),
    (LATERAL.format(body="SELECT * FROM master m WHERE m.campaign_id <> $2 AND scope.s IS NOT NULL"), ["not compared"]),
    (
        LATERAL.format(
            body="SELECT m.* FROM master m JOIN service_event e ON m.campaign_id = e.campaign_id "
            "WHERE scope.s IS NOT NULL"
        ),
        ["not compared", "not compared"],
    ),
    (
        LATERAL.format(
            body="SELECT (SELECT count(*) FROM service_event) FROM master m "
            "WHERE m.campaign_id = $2 AND scope.s IS NOT NULL"
        ),
        ["not compared"],
    ),
    (
        LATERAL.format(
            body="SELECT * FROM unnest($2::int[]) AS k (n), (SELECT * FROM lease WHERE campaign_id = $3) AS l "
            "WHERE scope.s IS NOT NULL"
        ),
        ["before the scope"],
    ),
    (CTE.format(body="UPDATE lease AS l SET token = 1 WHERE l.campaign_id = $2"), ["before the scope"]),
    (CTE.format(body=f"UPDATE lease AS l SET token = 1 WHERE {FIRST}"), ["not compared"]),
    (CTE.format(body="INSERT INTO lease (campaign_id, name) VALUES ($2, $3)"), ["before the scope"]),
    (CTE.format(body=f"INSERT INTO lease (name) SELECT $3 WHERE {FIRST}"), ["no campaign"]),
    ("UPDATE service_user_master SET username = $1", ["scope is not set", "before the scope"]),
    ("SELECT * FROM search_names($1, '{}', $2, 'text', 1)", ["scope is not set"]),
    (
        f"WITH scope AS ({SCOPE}), a AS (SELECT * FROM lease WHERE campaign_id = $2) SELECT * FROM a WHERE {FIRST}",
        ["before the scope"],
    ),
    (
        "SELECT set_config('ovasabi.campaigns', '{1}', true), (SELECT count(*) FROM lease)",
        ["not set", "not compared", "before the scope"],
    ),
]


@pytest.mark.parametrize("sql", GOOD)
def test_what_keeps_the_rule_is_let_through(sql: str) -> None:
    assert findings(sql) == []


@pytest.mark.parametrize(("sql", "expected"), BAD)
def test_what_breaks_the_rule_is_found(sql: str, expected: list[str]) -> None:
    found = findings(sql)
    assert len(found) == len(expected), found
    for part in expected:
        assert any(part in finding for finding in found), (part, found)


def test_in_a_transaction_the_scope_is_set_before_and_the_campaign_is_compared_still() -> None:
    assert findings("SELECT 1 FROM master WHERE campaign_id = $1 FOR UPDATE", in_transaction=True) == []
    assert findings("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", in_transaction=True) != []
