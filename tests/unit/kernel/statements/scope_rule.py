"""The rule of the tenant scope, over parsed SQL: what touches a table of campaigns sets the scope, waits for it, and
compares the campaign with a value."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgast
from postgast import pg_query_pb2

import ovasabi
from ovasabi.kernel.declare.entity import Scope, declared

SQL = Path(ovasabi.__file__).parents[2] / "sql"
_SECURED = re.compile(r"CALL (?:secure|scope)_table\('(\w+)'")
_FUNCTION = re.compile(r"FUNCTION (\w+)\(")

_own = [of for of in declared.values() if of.cls.__module__.startswith("ovasabi.")]
WITHOUT_CAMPAIGN = {of.table_name for of in _own if of.scope is Scope.GLOBAL}
"""Tables of the platform alone: their policy asks for its scope, and there is no campaign to compare."""
TABLES = {of.table_name for of in _own} | {
    name for file in (SQL / "policies").glob("*.sql") for name in _SECURED.findall(file.read_text())
}
"""All tables under row-level security."""
FUNCTIONS = {
    name
    for file in SQL.rglob("*.sql")
    if file.stem != "require_scope" and re.search(r"require_scope\(|scope_campaigns\(\)\)", text := file.read_text())
    for name in _FUNCTION.findall(text)
} - {"scope_condition"}
"""The functions that run beyond row-level security, and ask for the scope themselves."""


def findings(sql: str, *, in_transaction: bool = False) -> list[str]:
    """What is wrong with a statement, as `table: what`; with `in_transaction`, the scope was set before it."""
    found = []
    for raw in postgast.parse(sql).stmts:
        nodes = list(_walk(raw.stmt))
        names = {node.relname for kind, node in nodes if kind == "range_var"} - {
            node.ctename for kind, node in nodes if kind == "common_table_expr"
        }
        called = {node.funcname[-1].string.sval for kind, node in nodes if kind == "func_call"}
        touched = sorted((names & TABLES) | (called & FUNCTIONS))
        if touched and not in_transaction and not any(_sets_scope(node) for kind, node in nodes if kind == "func_call"):
            found += [f"{name}: the scope is not set" for name in touched]
        found += _Level({}, gated=in_transaction).statement(raw.stmt)
    return sorted(set(found))


class _Level:
    """A level of a statement: which common table expressions there are and whether each waits for the scope, and
    whether what is around the level does."""

    def __init__(self, ctes: dict[str, bool], *, gated: bool) -> None:
        self.ctes, self.gated = ctes, gated
        self.found: list[str] = []

    def statement(self, node: Any) -> list[str]:
        """The findings in a statement of this level, and in those below."""
        kind = node.WhichOneof("node")
        body = getattr(node, kind)
        if body.DESCRIPTOR.fields_by_name.get("with_clause"):
            for part in body.with_clause.ctes:
                cte = part.common_table_expr
                level = _Level(self.ctes, gated=self.gated)
                self.found += level.statement(cte.ctequery)
                sets = any(_sets_scope(n) for k, n in _walk(cte.ctequery) if k == "func_call")
                self.ctes = {**self.ctes, cte.ctename: level.gated and not sets}
        handle = getattr(self, f"_{kind}", None)
        if handle is not None:
            handle(body)
        return self.found

    def _select_stmt(self, body: Any) -> None:
        if body.HasField("larg"):
            for arm in (body.larg, body.rarg):
                level = _Level(self.ctes, gated=self.gated)
                level._select_stmt(arm)
                self.found += level.found
                self.gated = self.gated or level.gated
            return
        self._level(list(body.from_clause), body.where_clause, None, body)

    def _update_stmt(self, body: Any) -> None:
        self._level(list(body.from_clause), body.where_clause, body.relation, body)

    def _delete_stmt(self, body: Any) -> None:
        self._level(list(body.using_clause), body.where_clause, body.relation, body)

    def _insert_stmt(self, body: Any) -> None:
        level = _Level(self.ctes, gated=self.gated)
        self.found += level.statement(body.select_stmt)
        self.gated = self.gated or level.gated
        table = body.relation.relname
        if table in TABLES - self.ctes.keys():
            if not self.gated:
                self.found.append(f"{table}: written before the scope is set")
            columns = {column.res_target.name for column in body.cols}
            if "campaign_id" not in columns and table not in WITHOUT_CAMPAIGN:
                self.found.append(f"{table}: no campaign is given")

    def _level(self, sources: list[Any], where: Any, target: Any, body: Any) -> None:
        flat, conditions, below = _flattened(sources)
        conditions += _conjuncts(where)
        self.gated = self.gated or any(map(_is_gate, conditions))
        self.gated = self.gated or any(self.ctes.get(source.relname, False) for source in flat)
        for lateral, query in sorted(below, key=lambda each: each[0]):
            # What is lateral is read behind what it refers to; what is not, whenever the planner likes.
            level = _Level(self.ctes, gated=self.gated and lateral)
            self.found += level.statement(query)
            self.gated = self.gated or level.gated
        tables = [source for source in [*flat, *([target] if target is not None else [])] if source.relname in TABLES]
        tables = [table for table in tables if table.relname not in self.ctes]
        for table in tables:
            if not self.gated:
                self.found.append(f"{table.relname}: read before the scope is set")
        compared = _compared(conditions, {_name(table): table.relname for table in tables})
        self.found += [
            f"{table.relname}: its campaign is not compared with a value"
            for table in tables
            if table.relname not in WITHOUT_CAMPAIGN and _name(table) not in compared
        ]
        for query in _sublinks([*conditions, *_own_expressions(body)]):
            level = _Level(self.ctes, gated=self.gated)
            self.found += level.statement(query)


def _flattened(sources: list[Any]) -> tuple[list[Any], list[Any], list[tuple[bool, Any]]]:
    """Of a FROM: its tables, the conditions of its inner joins, and the queries in it, lateral or not."""
    tables: list[Any] = []
    conditions: list[Any] = []
    queries: list[tuple[bool, Any]] = []
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        match source.WhichOneof("node"):
            case "range_var":
                tables.append(source.range_var)
            case "join_expr":
                waiting += [source.join_expr.larg, source.join_expr.rarg]
                conditions += _conjuncts(source.join_expr.quals)
            case "range_subselect":
                queries.append((source.range_subselect.lateral, source.range_subselect.subquery))
    return tables, conditions, queries


def _conjuncts(node: Any) -> list[Any]:
    if node.WhichOneof("node") is None:
        return []
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pg_query_pb2.AND_EXPR:
        return [part for arg in node.bool_expr.args for part in _conjuncts(arg)]
    return [node]


def _is_gate(condition: Any) -> bool:
    """`scope.s IS NOT NULL`, or the same of a sub-select of `scope`."""
    if condition.WhichOneof("node") != "null_test":
        return False
    return any(
        kind == "column_ref" and [part.string.sval for part in node.fields] == ["scope", "s"]
        for kind, node in _walk(condition)
    )


def _compared(conditions: list[Any], tables: dict[str, str]) -> set[str]:
    """The tables whose campaign is compared with a value: a parameter, a constant, or a row of something that is not
    a table of campaigns, or is one that is compared itself."""
    known: set[str] = set()
    pairs = [pair for condition in conditions for pair in _campaigns(condition, tables)]
    while True:
        more = {name for name, others in pairs if name not in known and not (others & tables.keys()) - known}
        if not more:
            return known
        known |= more


def _campaigns(condition: Any, tables: dict[str, str]) -> list[tuple[str, set[str]]]:
    """Each table whose campaign a condition compares, with the tables that the other side is of."""
    if condition.WhichOneof("node") == "bool_expr":
        # Of an OR each branch must say it, or ask for the platform, which sees all campaigns.
        args = [
            [pair for part in _conjuncts(arg) for pair in _campaigns(part, tables)] for arg in condition.bool_expr.args
        ]
        said = [pairs for arg, pairs in zip(condition.bool_expr.args, args, strict=True) if not _asks_platform(arg)]
        common = set.intersection(*({name for name, _ in pairs} for pairs in said)) if said else set()
        return [pair for pairs in said for pair in pairs if pair[0] in common]
    if condition.WhichOneof("node") != "a_expr" or condition.a_expr.name[-1].string.sval != "=":
        return []
    found = []
    for one, other in (
        (condition.a_expr.lexpr, condition.a_expr.rexpr),
        (condition.a_expr.rexpr, condition.a_expr.lexpr),
    ):
        name = _campaign_of(one, tables)
        others = {_owner(node, tables) for kind, node in _walk(other) if kind == "column_ref"}
        if name is not None and name not in others:
            found.append((name, {each for each in others if each}))
    return found


def _campaign_of(node: Any, tables: dict[str, str]) -> str | None:
    """The table whose campaign_id an expression is, also with `+ 0`, which keeps an index from it."""
    if node.WhichOneof("node") == "a_expr" and node.a_expr.name[-1].string.sval == "+":
        return _campaign_of(node.a_expr.lexpr, tables)
    if node.WhichOneof("node") != "column_ref" or node.column_ref.fields[-1].string.sval != "campaign_id":
        return None
    owner = _owner(node.column_ref, tables)
    return owner if owner in tables else None


def _owner(column: Any, tables: dict[str, str]) -> str:
    if len(column.fields) > 1:
        return str(column.fields[0].string.sval)
    return next(iter(tables)) if len(tables) == 1 else ""


def _asks_platform(node: Any) -> bool:
    """A comparison of the campaign that is asked for, which is no column of a table, with 0."""
    if node.WhichOneof("node") != "a_expr" or node.a_expr.name[-1].string.sval != "=":
        return False
    zero = node.a_expr.rexpr
    return zero.WhichOneof("node") == "a_const" and zero.a_const.HasField("ival") and zero.a_const.ival.ival == 0


def _own_expressions(body: Any) -> list[Any]:
    """What a level answers or sets."""
    fields = ("target_list", "returning_list", "sort_clause", "limit_count", "values_lists")
    lists = [getattr(body, name, []) for name in fields]
    return [node for each in lists for node in ([each] if hasattr(each, "DESCRIPTOR") else each)]


def _sublinks(expressions: list[Any]) -> Iterator[Any]:
    """The queries in some expressions; not those in them."""
    for expression in expressions:
        waiting = [expression]
        while waiting:
            message = waiting.pop()
            if message.DESCRIPTOR.name == "Node" and message.WhichOneof("node") == "sub_link":
                yield message.sub_link.subselect
                continue
            waiting += list(_children(message))


def _sets_scope(call: Any) -> bool:
    return (
        call.funcname[-1].string.sval == "set_config"
        and call.args[0].a_const.sval.sval == "ovasabi.campaigns"
        and call.args[1].WhichOneof("node") == "param_ref"
    )


def _name(table: Any) -> str:
    return str(table.alias.aliasname or table.relname)


def _walk(message: Any) -> Iterator[tuple[str, Any]]:
    """All nodes below a message, each with its kind; also those whose place says what they are."""
    waiting = [message]
    while waiting:
        node = waiting.pop()
        if node.DESCRIPTOR.name == "Node":
            kind = node.WhichOneof("node")
            if kind is None:
                continue
            node = getattr(node, kind)
        yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.DESCRIPTOR.name).lower(), node
        waiting += list(_children(node))


def _children(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield from [value] if hasattr(value, "DESCRIPTOR") else value
