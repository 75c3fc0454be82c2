"""Statements with what binds them taken away, one thing at a time: each must be refused, or the rule does not look."""

from collections.abc import Iterator
from typing import Any

import msgspec
from postgast import pg_query_pb2

from tests.unit.kernel.statements.rule.relations import CAMPAIGN
from tests.unit.kernel.statements.rule.syntax import (
    body_of,
    column,
    conjuncts,
    function_name,
    kind_of,
    of_this_level,
    walk,
)
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, TABLES, WITHOUT_CAMPAIGN

ELSE = 99
"""A parameter that no statement has."""


class Mutation(msgspec.Struct, frozen=True):
    """What is changed, of which table or function, and the statement as it is then."""

    what: str
    of: str
    statement: Any


def mutations(statement: Any) -> Iterator[Mutation]:
    """All mutations of a parsed statement, each of a copy."""
    for at, alias, table in _sources(statement):
        copy = _copied(statement)
        if _drop(_levels(copy)[at], alias):
            yield Mutation(f"no condition on {alias}.{CAMPAIGN}", table, copy)
    for at, (kind, node) in enumerate(walk(statement)):
        if kind == "insert_stmt" and node.relation.relname in TABLES - WITHOUT_CAMPAIGN:
            copy = _copied(statement)
            insert = list(walk(copy))[at][1]
            names = [body_of(each).name for each in insert.cols]
            _become_else(body_of(body_of(insert.select_stmt).target_list[names.index(CAMPAIGN)]).val)
            yield Mutation("another campaign is written", node.relation.relname, copy)
        elif kind == "func_call" and (asking := FUNCTIONS.get(function_name(node))) and asking.campaign is not None:
            copy = _copied(statement)
            _become_else(list(walk(copy))[at][1].args[asking.campaign])
            yield Mutation("another campaign is asked for", function_name(node), copy)


def with_opposite_gates(statement: Any) -> Any:
    """A statement in which all waits until the scope is not set."""
    copy = _copied(statement)
    for kind, node in walk(copy):
        if kind == "null_test" and _is_gate(node):
            node.nulltesttype = pg_query_pb2.IS_NULL
    return copy


def _sources(statement: Any) -> list[tuple[int, str, str]]:
    """The tables of campaigns that are read or changed: on which level, under which name, and which."""
    return [
        (at, node.alias.aliasname or node.relname, node.relname)
        for at, level in enumerate(_levels(statement))
        for node in _tables(level)
        if node.relname in TABLES - WITHOUT_CAMPAIGN
    ]


def _levels(statement: Any) -> list[Any]:
    return [node for kind, node in walk(statement) if kind in ("select_stmt", "update_stmt", "delete_stmt")]


def _tables(level: Any) -> list[Any]:
    own = [level.relation] if kind_of(level) != "select_stmt" else []
    return own + [node for item in _items(level) for kind, node in of_this_level(item) if kind == "range_var"]


def _items(level: Any) -> Any:
    return level.using_clause if kind_of(level) == "delete_stmt" else level.from_clause


def _drop(level: Any, alias: str) -> bool:
    """Drops each condition of a level that names the campaign of a table; returns whether there is one."""
    joins = [node for item in _items(level) for kind, node in of_this_level(item) if kind == "join_expr"]
    found = False
    for condition in [level.where_clause, *(join.quals for join in joins)]:
        parts = conjuncts(condition)
        kept = [_copied(part) for part in parts if not _names(part, alias)]
        if len(kept) < len(parts):
            found = True
            condition.Clear()
            condition.bool_expr.boolop = pg_query_pb2.AND_EXPR
            condition.bool_expr.args.extend([*kept, _true()])
    return found


def _names(condition: Any, alias: str) -> bool:
    columns = [column(node) for kind, node in of_this_level(condition) if kind == "column_ref"]
    return (alias, CAMPAIGN) in columns or ("", CAMPAIGN) in columns


def _true() -> Any:
    node = pg_query_pb2.Node()
    node.a_const.boolval.boolval = True
    return node


def _become_else(node: Any) -> None:
    node.Clear()
    node.param_ref.number = ELSE


def _is_gate(node: Any) -> bool:
    return any(kind == "column_ref" and column(each) == ("scope", "s") for kind, each in walk(node))


def _copied(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
