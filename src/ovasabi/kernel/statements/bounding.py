"""Bounds what a reading statement returns in bytes, before the database reads the values that are left out."""

from functools import cache

from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Field

PAGE_BYTES = 2 << 20
"""The most that a page contains, unless its first row alone is larger. Clients of gRPC accept 4 MiB by default."""
_ROW_BYTES, _VALUE_BYTES = 256, 16
"""What a row and each of its values take in a message, besides texts, lists and JSON."""
_OF_JSON = 2
"""How often the text of JSON counts: in a message of gRPC, `1, ` takes eleven bytes."""


def bounded(rows: str, order: str, of: EntityType) -> str:
    """Returns a query for those of the `rows`, in `order`, that a page has room for; the first one always has.

    `_more` says whether another row follows. How long a text is, is known without reading it. Lists and JSON have to be
    read for that, which ends where what is stored of them, perhaps compressed, exceeds the bound.
    """
    stored, size = bytes_of(of)
    page = f"(ORDER BY {order} ROWS UNBOUNDED PRECEDING)"
    return f"""
    SELECT s.*, lead(true) OVER page AS _more,
           sum(CASE WHEN s._stored <= {PAGE_BYTES} THEN {size} END) OVER page AS _bytes
    FROM (SELECT s.*, row_number() OVER page AS _number, sum({stored}) OVER page AS _stored
          FROM ({rows}) AS s WINDOW page AS {page}) AS s
    WINDOW page AS {page}"""


HAS_ROOM = f"(s._stored <= {PAGE_BYTES} AND s._bytes <= {PAGE_BYTES} OR s._number = 1)"
"""The condition for the rows of a bounded query that its page has room for."""


def is_small(of: EntityType, limit: str) -> str:
    """Returns the condition for a row `s` of which a page has room for `limit`, whatever the others are.

    Of lists and JSON that are stored in many bytes, nothing more is read.
    """
    stored, size = bytes_of(of)
    return f"CASE WHEN {stored} <= {PAGE_BYTES} / {limit} THEN {size} <= {PAGE_BYTES} / {limit} END"


def unbounded_columns(of: EntityType) -> list[str]:
    """Returns the columns of a type's texts, lists and JSON, apart from its metadata."""
    return [field.column for field in of.shown if _kind(field) in ("text", "list", "jsonb")]


@cache
def bytes_of(of: EntityType) -> tuple[str, str]:
    """Returns the sizes of a row `s` in SQL: of what is stored of its lists and JSON, and of the row in a page."""
    fixed = _ROW_BYTES + _VALUE_BYTES * len(of.shown)
    stored, sizes = ["pg_column_size(s.metadata)"], [f"{fixed} + {_OF_JSON} * octet_length(s.metadata::text)"]
    for field in of.shown:
        column = f"s.{field.column}"
        match _kind(field):
            case "text":
                sizes.append(_or_zero(f"octet_length({column})", field))
            case "list" | "jsonb" as kind:
                times = 1 if kind == "list" else _OF_JSON
                stored.append(_or_zero(f"pg_column_size({column})", field))
                sizes.append(_or_zero(f"{times} * octet_length({column}::text)", field))
    return " + ".join(stored), " + ".join(sizes)


def _kind(field: Field) -> str:
    if field.is_list:
        return "list"
    return "text" if field.sql_type.startswith(("text", "varchar")) else field.sql_type


def _or_zero(size: str, field: Field) -> str:
    return f"coalesce({size}, 0)" if field.nullable else size
