"""Each statement that touches a table of campaigns sets its scope, waits for it, and is bound to its campaign."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import postgast
import pytest

import ovasabi
from ovasabi.database.sql import SET_SCOPE, Scoping, blocks
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.statements.catalog import statements_of
from ovasabi.kernel.statements.writing import Statements
from ovasabi.kernel.store.filters import parse_filter
from tests.unit.kernel.statements.rule.findings import findings, of_statement
from tests.unit.kernel.statements.rule.mutations import mutations, with_opposite_gates
from tests.unit.kernel.statements.rule.relations import Given
from tests.unit.kernel.statements.rule.sql_in_python import sql_of
from tests.unit.kernel.statements.rule.syntax import body_of, function_name, walk
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, NAMING_ONLY, ROOT, SQL, TABLES, WITHOUT_CAMPAIGN

PACKAGE = Path(ovasabi.__file__).parent

THE_LOG = "the log of all campaigns has the same epochs: a position, and nothing of what is in an event"
HIGHEST_NUMBER = "the highest number of all campaigns, and nothing of what is in them"
REFUSED = "is refused: what it touches is not known"
EXCEPTIONS = {
    ("system/operation/running.sql: due", "due_operations: called before the scope is set"): (
        "the one look over all campaigns: numbers, and nothing of what is in them"
    ),
    ("system/operation/running.sql: due", "due_operations: its campaign is not bound"): (
        "the one look over all campaigns: numbers, and nothing of what is in them"
    ),
    ("lifecycle/log_epochs.sql: arrive", "log_arrived: called before the scope is set"): THE_LOG,
    ("lifecycle/log_epochs.sql: arrive", "log_arrived: its campaign is not bound"): THE_LOG,
    ("lifecycle/log_epochs.sql: begin", "new_log_epoch: called before the scope is set"): THE_LOG,
    ("lifecycle/log_epochs.sql: state", "log_moved: called before the scope is set"): THE_LOG,
    ("lifecycle/backup/inventory.sql: moved", "log_moved: called before the scope is set"): THE_LOG,
    ("lifecycle/backup/inventory.sql: analyse", "vacuum_stmt is refused: what it touches is not known"): (
        "it reads samples of all tables for the planner, and returns nothing"
    ),
    ("lifecycle/catalog.py: RESET ROLE", "role is set"): "the login alone may change an owner, in a migration",
    ("lifecycle/migrations.py: RESET ROLE", "role is set"): "a migration ends as the login that it began as",
    ("lifecycle/catalog.sql: path", "search_path is set"): "it decides how the catalog writes names; no table is read",
    ("lifecycle/server_number.sql: catch_up", "service_event: its campaign is not bound"): (
        "the owner looks for the newest time of all events, and sees nothing else of them"
    ),
    ("lifecycle/server_number.sql: catch_up", "service_event: read before the scope is set"): (
        "the owner looks for the newest time of all events, and sees nothing else of them"
    ),
    **{
        (f"lifecycle/replication/subscription.sql: {name}", f"{what}_subscription_stmt {REFUSED}"): (
            "which tables are published is decided at home: those of the platform, and of the registry its rows"
        )
        for name, what in {
            "refresh": "alter",
            "enable": "alter",
            "disable": "alter",
            "leave": "alter",
            "unsubscribe": "drop",
        }.items()
    },
    **{
        (f"lifecycle/replication/lost.sql: {name}", "master: read before the scope is set"): (
            "rows of the platform, which a server and home compare as their owners"
        )
        for name in ("ids", "lacks_id", "delete")
    },
    ("lifecycle/replication/lost.sql: draw_past", "campaign_number: the table is not known"): HIGHEST_NUMBER,
    ("lifecycle/replication/lost.sql: newest", "service_campaign_main: its campaign is not bound"): HIGHEST_NUMBER,
    ("lifecycle/replication/lost.sql: newest", "service_campaign_main: read before the scope is set"): HIGHEST_NUMBER,
    ("lifecycle/sql_objects.sql: column", "alter_table_stmt is refused: what it touches is not known"): (
        "a column of the record of objects, which has no campaign"
    ),
}
"""What rightly spans campaigns, or is of the platform, and why."""
CAMPAIGN_IN: dict[str, int] = {
    "kernel/events/log.sql: page": 3,
    "kernel/call/locks.sql: entity": 1,
    "SELECT require_lease($1, $2, $3)": 1,
}
"""In which parameter the campaign is, where it is not the second."""
GUARDED = {
    "api_key": {
        "lifecycle/replication/lost.sql: drop_keys",
        "lifecycle/replication/lost.sql: keys",
        "lifecycle/replication/lost.sql: lacks_key",
        "lifecycle/replication/lost.sql: revoke",
        "lifecycle/replication/lost.sql: revoked",
        "security/keys.sql: insert",
        "security/keys.sql: list",
        "security/keys.sql: revoke",
    },
    "campaign_directory": {
        "lifecycle/report.sql: campaigns",
        "system/campaign/directory.sql: abandon",
        "system/campaign/directory.sql: abandoned",
        "system/campaign/directory.sql: adopt",
        "system/campaign/directory.sql: claim",
        "system/campaign/directory.sql: differing",
        "system/campaign/directory.sql: enter",
        "system/campaign/directory.sql: entry",
        "system/campaign/directory.sql: expected",
        "system/campaign/directory.sql: find",
        "system/campaign/directory.sql: free",
        "system/campaign/directory.sql: known",
        "system/campaign/directory.sql: loads",
        "system/campaign/directory.sql: lose",
        "system/campaign/directory.sql: settle",
        "system/campaign/directory.sql: take_over",
        "system/campaign/directory.sql: shard",
    },
}
"""Tables without a scope whose rows are about campaigns: all statements that name them, each looked at by hand."""
IN_TRANSACTION = {"SELECT require_lease($1, $2, $3)": "SET_SCOPE is run before it, in the same transaction"}
"""Statements in Python that are part of a transaction which has set the scope, and where it does."""


class Statement(msgspec.Struct, frozen=True):
    """A statement of the product: where it is, its text, and whether a transaction sets its scope."""

    where: str
    text: str
    in_transaction: bool = False

    @property
    def given(self) -> Given:
        """In which parameter its campaign is."""
        return Given(CAMPAIGN_IN.get(self.where, CAMPAIGN_IN.get(self.text, 2)))

    def findings(self) -> list[str]:
        """What is wrong with it."""
        return findings(self.text, self.given, in_transaction=self.in_transaction)


def product() -> Iterator[Statement]:
    """Every statement of the product."""
    for of in declared.values():
        if of.cls.__module__.startswith("ovasabi."):
            for name, statement in statements_of(of).items():
                yield Statement(f"{of.name}: {name}", statement.text)
    for file in sorted(PACKAGE.rglob("*.sql")):
        for block in blocks(file.read_text(), file.name):
            where = f"{file.relative_to(PACKAGE)}: {block.name}"
            yield Statement(where, block.text, block.scoping is Scoping.TRANSACTION)
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.parent == PACKAGE / "kernel" / "statements":
            continue  # What is there are parts of what was just read.
        for text in sql_of(file.read_text()).statements:
            yield Statement(f"{file.relative_to(PACKAGE)}: {text[:60]}", text, text in IN_TRANSACTION)


def touched(text: str) -> set[str]:
    """The tables of campaigns that a statement names, and the functions that read them."""
    nodes = list(walk(_parsed(text)))
    names = {node.relname for kind, node in nodes if kind == "range_var"} & TABLES
    return names | {function_name(node) for kind, node in nodes if kind == "func_call"} & FUNCTIONS.keys()


def _parsed(text: str) -> Any:
    return body_of(postgast.parse(text).stmts[0].stmt)


def representatives() -> set[str]:
    """Types of which the statements are all that the generator writes: each has something that the others have not."""
    kinds: dict[Any, str] = {}
    for of in declared.values():
        if of.cls.__module__.startswith("ovasabi."):
            keys, counter = Statements(of).keys, of.counter
            of_counter = counter and (counter.reference.nullable, counter.state is None)
            kinds.setdefault((of.scope, of_counter, {len(key.parts) for key in keys} == {1}, bool(keys)), of.name)
    return set(kinds.values())


STATEMENTS = list(product())
OTHERS = declared.keys() - representatives()
SCOPED = [each for each in STATEMENTS if each.where.partition(": ")[0] not in OTHERS and touched(each.text)]


def test_every_statement_of_the_product_keeps_the_rule() -> None:
    found = {(each.where, finding) for each in STATEMENTS for finding in each.findings()}
    assert found - EXCEPTIONS.keys() == set()
    assert EXCEPTIONS.keys() - found == set(), "an exception that is no longer one is to be taken out"
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize("table", GUARDED)
def test_a_table_without_a_scope_is_touched_by_known_statements_only(table: str) -> None:
    found = {each.where for each in STATEMENTS if table in tables_of(each.text)}
    assert found == GUARDED[table]


def tables_of(text: str) -> set[str]:
    """The tables that a text names, in whichever statement and at whichever depth."""
    return {node.relname for raw in postgast.parse(text).stmts for kind, node in walk(raw) if kind == "range_var"}


def test_the_statements_that_are_looked_at_are_all_there() -> None:
    where = {each.where.partition(": ")[0] for each in STATEMENTS}
    assert {"content", "campaign", "user", "kernel/events/log.sql", "system/operation/work.sql"} <= where
    assert "kernel/call/transaction.py" in where
    assert len(STATEMENTS) > 100
    assert CAMPAIGN_IN.keys() | IN_TRANSACTION.keys() <= {each.where for each in STATEMENTS} | {
        each.text for each in STATEMENTS
    }


def test_the_tables_and_functions_that_hold_rows_of_campaigns_are_known() -> None:
    assert {"master", "service_event", "lease", "operation_work", "service_content_main"} <= TABLES
    assert {"service_user_master"} == WITHOUT_CAMPAIGN
    assert {"service_campaign_main"} == ROOT
    reading = {"search_entities", "search_names", "found_entities", "entity_exists", "due_operations", "require_lease"}
    assert reading <= FUNCTIONS.keys()
    assert all(list(SQL.rglob(f"{name}.sql")) for name in NAMING_ONLY)


@pytest.mark.parametrize("statement", SCOPED, ids=[each.where for each in SCOPED])
def test_a_statement_without_one_of_its_campaigns_is_refused(statement: Statement) -> None:
    excepted = [finding for where, finding in EXCEPTIONS if where == statement.where]
    parsed = _parsed(statement.text)
    as_it_is = Counter(_of(statement, parsed))
    for mutation in mutations(parsed):
        more = Counter(_of(statement, mutation.statement)) - as_it_is
        known = any(finding.startswith(mutation.of) for finding in excepted)
        assert known or any(finding.startswith(mutation.of) for finding in more), (mutation.what, mutation.of)


@pytest.mark.parametrize("statement", SCOPED, ids=[each.where for each in SCOPED])
def test_a_statement_that_waits_for_no_scope_is_refused(statement: Statement) -> None:
    if not statement.in_transaction and "due_operations" not in statement.text:
        found = _of(statement, with_opposite_gates(_parsed(statement.text)))
        assert any("before the scope is set" in finding for finding in found)


def test_a_statement_has_a_mutation_for_each_of_its_tables() -> None:
    for where, tables in {"campaign: delete": 3, "kernel/search/registry.sql: search": 2}.items():
        (statement,) = [each for each in STATEMENTS if each.where == where]
        assert len(list(mutations(_parsed(statement.text)))) == tables


FILTERS = ["{field} != 1 OR id > 2", "NOT ({field} = 1) OR NOT (id = 1 AND {field} = 2)", "{field} = null OR id = 1"]


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_of_a_caller_does_not_free_a_list_from_its_campaign(text: str) -> None:
    for of in declared.values():
        if of.cls.__module__.startswith("ovasabi."):
            condition, sql = parse_filter(of, text.format(field="id"), 3), Statements(of)
            for listed in (sql.list, sql.list_small):
                assert findings(listed(condition.sql, "s.created_at DESC", "$9")) == []
            assert findings(sql.count(condition.sql)) == []


def test_a_condition_without_its_parentheses_would_free_a_list() -> None:
    sql = Statements(declared["content"])
    assert findings(sql.count(" OR s.master_id = $3")) != []


def test_the_scope_of_a_transaction_is_set_as_that_of_a_statement() -> None:
    assert findings(SET_SCOPE) == []


def _of(statement: Statement, parsed: Any) -> list[str]:
    return of_statement(parsed, statement.given, in_transaction=statement.in_transaction)
