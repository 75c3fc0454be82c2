"""Parsed SQL, as the rule of the tenant scope reads it: nodes, their kinds, and the expressions of one level."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.message import Message
from postgast import pg_query_pb2

QUERIES = {"select_stmt", "insert_stmt", "update_stmt", "delete_stmt"}
"""The statements that the rule understands."""
_BELOW = {"select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "with_clause", "range_subselect"}
_LEAVES = {"column_ref", "param_ref", "a_const", "type_name", "string"}
"""What has no query, table or function below it."""
_CAST = {"type_cast", "collate_clause"}


def kind_of(message: Any) -> str:
    """What a message is, such as `select_stmt`; empty for a node that is not there."""
    if isinstance(message, pg_query_pb2.Node):
        return message.WhichOneof("node") or ""
    return _kind(type(message))


@cache
def _kind(of: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", of.__name__).lower()


def body_of(message: Any) -> Any:
    """The message that a node holds."""
    if not isinstance(message, pg_query_pb2.Node):
        return message
    kind = message.WhichOneof("node")
    return message if kind is None else getattr(message, kind)


def children(message: Any) -> Iterator[Any]:
    """The messages directly below a message, without the nodes around them."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if isinstance(value, Message) else value:
                body = body_of(each)
                if not isinstance(body, pg_query_pb2.Node):
                    yield body


def walk(message: Any) -> Iterator[tuple[str, Any]]:
    """A message and all below it, each with its kind."""
    waiting = [body_of(message)]
    while waiting:
        current = waiting.pop()
        yield (kind := kind_of(current)), current
        if kind not in _LEAVES:
            waiting += list(children(current))


def of_this_level(*parts: Any) -> Iterator[tuple[str, Any]]:
    """The messages of expressions, without those of the queries in them; a `sub_link` itself is one of them."""
    waiting = [body_of(part) for part in parts if kind_of(part)]
    while waiting:
        current = waiting.pop()
        if (kind := kind_of(current)) in _BELOW:
            continue
        yield kind, current
        if kind not in _LEAVES:
            waiting += list(children(current))


def conjuncts(node: Any) -> list[Any]:
    """The conditions of which every one must hold."""
    if kind_of(node) == "bool_expr" and (body := body_of(node)).boolop == pg_query_pb2.AND_EXPR:
        return [part for arg in body.args for part in conjuncts(arg)]
    return [node] if kind_of(node) else []


def uncast(node: Any) -> Any:
    """An expression without casts."""
    while kind_of(node) in _CAST:
        node = body_of(node).arg
    return body_of(node)


def column(node: Any) -> tuple[str, str] | None:
    """The qualifier, or nothing, and the name of a column; `*` stands for all of them."""
    current = body_of(node)
    if kind_of(current) != "column_ref" or len(current.fields) > 2:
        return None
    names = ["*" if kind_of(field) == "a_star" else body_of(field).sval for field in current.fields]
    return ("", names[0]) if len(names) == 1 else (names[0], names[1])


def is_zero(node: Any) -> bool:
    """Whether an expression is the constant 0."""
    current = uncast(node)
    return kind_of(current) == "a_const" and current.HasField("ival") and current.ival.ival == 0


def text_of(node: Any) -> str | None:
    """The value of a constant of text."""
    current = uncast(node)
    return current.sval.sval if kind_of(current) == "a_const" and current.HasField("sval") else None


def operator(message: Any) -> str:
    """The operator of an expression; one with a schema is none that is known."""
    return body_of(message.name[0]).sval if len(message.name) == 1 else ""


def function_name(call: Any) -> str:
    """The name of the function that is called, without the schemas that are searched anyway."""
    names = [body_of(part).sval for part in call.funcname]
    return names[-1] if names[:-1] in ([], ["public"], ["pg_catalog"]) else ".".join(names)
