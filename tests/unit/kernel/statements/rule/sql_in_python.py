"""SQL in Python: whole statements in string constants, which the rule reads, and SQL that is put together."""

import ast
import re
from collections.abc import Iterator

import msgspec
import postgast

_VERBS = (
    "WITH|SELECT|INSERT|UPDATE|DELETE|MERGE|TABLE|VALUES|COPY|LOCK|TRUNCATE|EXPLAIN|PREPARE|EXECUTE|DECLARE|CREATE|ALTER|"
    "DROP|GRANT|REVOKE|SET|RESET|DO|CALL|COMMENT|REFRESH|REINDEX|CLUSTER|VACUUM|ANALYZE|NOTIFY|LISTEN"
)
_BEGINS = re.compile(rf"(?:{_VERBS})\b", re.IGNORECASE)
_BEFORE = re.compile(r"(?:\s|\(|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_PARTS = re.compile(
    r"\b(?:SELECT\b.+\bFROM|INSERT\s+INTO|UPDATE\s+\S+(?:\s+AS\s+\w+)?\s+SET|DELETE\s+FROM|MERGE\s+INTO|"
    r"COPY\s+\S+\s+(?:FROM|TO)|LOCK\s+TABLE|TRUNCATE\s+TABLE|EXPLAIN\s+(?:ANALYZE|SELECT))\b",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSES = re.compile(
    r"\b(?:SELECT\s+[\w*(.]+|FROM\s+\w+|WHERE\s+\S+|(?:INNER|LEFT|RIGHT|FULL|CROSS) JOIN|JOIN\s+\w+|UNION|GROUP BY|"
    r"ORDER BY|HAVING|LIMIT\s+\S+|OFFSET\s+\S+|RETURNING|ON CONFLICT|SET ROLE|SET LOCAL|VALUES\s*\(|IS (?:NOT )?NULL|"
    r"IS DISTINCT FROM|NULLS (?:FIRST|LAST))(?=\W|$)|^\s*(?:AND|OR)\s|\s(?:AND|OR)\s*$"
    r"|^\s*(?:SELECT|FROM|WHERE|SET|LIMIT)\s*$"
    r"|\s=\s*ANY\s*\(|(?:^|\s)(?:FROM|WHERE|JOIN|INTO|LIMIT)\s$"
)
"""A clause alone is written in capitals; in lower case it would be English."""


class Sql(msgspec.Struct, frozen=True):
    """What a module has of SQL: whole statements, and the lines on which SQL is put together of parts."""

    statements: list[str]
    put_together: list[int]


def sql_of(source: str) -> Sql:
    """The SQL in the source of a module."""
    tree = ast.parse(source)
    ignored = _docstrings(tree)
    strings = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    strings = [node for node in strings if id(node) not in ignored]
    parts = {id(node): at.lineno for at, part in _composed(tree) for node in ast.walk(part)}
    named = _named(tree, {id(node) for node in strings if looks_like_sql(node.value)})
    found = [node.lineno for node in strings if looks_like_sql(node.value) and not is_sql(node.value)]
    found += [node.lineno for node in strings if looks_like_sql(node.value) and id(node) in parts]
    found += [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in named and id(n) in parts]
    whole = [node.value for node in strings if id(node) not in parts and begins(node.value) and is_sql(node.value)]
    return Sql(whole, sorted(set(found)))


def begins(text: str) -> bool:
    """Whether a text begins as a statement does, behind comments and parentheses."""
    return _BEGINS.match(text, _BEFORE.match(text).end()) is not None  # type: ignore[union-attr]


def looks_like_sql(text: str) -> bool:
    """Whether a text is a statement or a part of one; a sentence that has a word of SQL in it is not."""
    start = _BEFORE.match(text).end()  # type: ignore[union-attr]
    capital = re.match(rf"(?:{_VERBS})\s", text[start:])
    whole = begins(text) and " " in text.strip() and is_sql(text)
    return bool(whole or capital or _PARTS.search(text) or _CLAUSES.search(text))


def is_sql(text: str) -> bool:
    """Whether PostgreSQL's grammar takes it."""
    try:
        return bool(postgast.parse(text).stmts)
    except postgast.PgQueryError:
        return False


def _docstrings(tree: ast.AST) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _composed(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, ast.AST]]:
    """What texts are put together of: each part, and the expression that does it."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values) if any(isinstance(each, ast.FormattedValue) for each in values):
                yield from ((node, each) for each in values)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod() | ast.Mult(), right=right):
                yield from ((node, each) for each in (left, right))
            case ast.AugAssign(target=target, op=ast.Add() | ast.Mod(), value=value):
                yield from ((node, each) for each in (target, value))
            case ast.Call(func=ast.Attribute(value=value, attr="join"), args=args):
                yield from ((node, each) for each in (value, *args))
            case ast.Call(
                func=ast.Attribute(value=value, attr="format" | "format_map" | "replace" | "substitute" | "sub"),
                args=args,
            ):
                yield from ((node, each) for each in (value, *args))
            case ast.Call(func=ast.Name(id="Template") | ast.Attribute(attr="Template" | "safe_substitute"), args=args):
                yield from ((node, each) for each in args)


def _named(tree: ast.AST, sql: set[int]) -> set[str]:
    """The names to which SQL is given, or the statements that `load` reads."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                if value is not None and (_is_load(value) or any(id(each) in sql for each in ast.walk(value))):
                    found.add(name)
    return found


def _is_load(value: ast.AST) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "load"
