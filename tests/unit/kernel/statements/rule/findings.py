"""The rule of the tenant scope, over parsed SQL: what touches a table of campaigns waits until the scope is set, and is
bound to the campaign that is asked for. What the rule does not understand is refused."""

from collections import Counter
from typing import Any

import postgast

from tests.unit.kernel.statements.rule.levels import Reader
from tests.unit.kernel.statements.rule.relations import Given, is_known, sets_scope
from tests.unit.kernel.statements.rule.syntax import QUERIES, body_of, kind_of, walk
from tests.unit.kernel.statements.rule.tables import TABLES

_UTILITIES = {"create_stmt", "comment_stmt", "grant_stmt", "transaction_stmt", "variable_set_stmt"}
"""Other statements that may be; none of them may name a table of campaigns or contain a query."""
_SETTINGS = {"role", "session_authorization", "row_security", "ovasabi.campaigns", "search_path"}
"""What says which rows are seen, and whose."""


def findings(sql: str, given: Given | None = None, *, in_transaction: bool = False) -> list[str]:
    """What is wrong with a text of SQL; with `in_transaction`, the scope was set before it."""
    found: list[str] = []
    for raw in postgast.parse(sql).stmts:
        found += of_statement(body_of(raw.stmt), given or Given(), in_transaction=in_transaction)
    return sorted(set(found))


def of_statement(statement: Any, given: Given, *, in_transaction: bool = False) -> list[str]:
    """What is wrong with a parsed statement."""
    if kind_of(statement) not in QUERIES:
        return _of_utility(statement)
    if sets_scope(statement):
        return []
    reader = Reader(given, in_transaction=in_transaction)
    reader.statement(statement)
    there = Counter(kind for kind, _ in walk(statement) if kind == "range_var" or kind in QUERIES)
    if there != reader.visited:
        reader.found.append(f"a part is not understood: {dict(there - reader.visited) or 'it was read twice'}")
    return reader.found


def _of_utility(statement: Any) -> list[str]:
    kind = kind_of(statement)
    if kind not in _UTILITIES:
        return [f"{kind} is refused: what it touches is not known"]
    if kind == "variable_set_stmt":
        return [f"{statement.name} is set"] if statement.name in _SETTINGS or not statement.name else []
    nodes = list(walk(statement))
    found = [f"{kind} contains a query" for each, _ in nodes if each in QUERIES]
    tables = [node for each, node in nodes if each == "range_var"]
    made = {statement.relation.relname} if kind == "create_stmt" else set()
    return found + [
        f"{table.relname}: {kind} is refused"
        for table in tables
        if table.relname not in made and (not is_known(table) or table.relname in TABLES)
    ]
