"""Representatives: as few entity types as have, between them, everything that a declaration can say."""

from collections.abc import Iterable

from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.declare.fields import Field, Output, Reference
from ovasabi.kernel.declare.methods import Method

COMMON = {"allowed_moves", "create", "delete", "export", "get", "import", "list", "restore", "search", "update"}
"""The names of the methods that the types have in common."""


def traits(of: EntityType) -> set[str]:
    """What sets a type apart from others, as its table, its statements and its checks know it."""
    found = {f"scope {of.scope.value}", f"stream {of.stream}"}
    found |= {f"a natural key of {len(group)}" for group in of.unique}
    for field in of.fields:
        found |= {type(marker).__name__ for marker in field.markers} | {f"a column of {_column(field)}"}
        found |= {"a field that may be null"} if field.nullable else set()
        found |= {"a counter"} if field.has(Output) and field.base is int else set()
        if (reference := field.get(Reference)) is not None:
            found |= {f"a reference to what is of the scope {declared[reference.type].scope.value}"}
    return found


def representatives(types: Iterable[EntityType]) -> set[str]:
    """The names of a few types that have, between them, the traits of all; those with the most first."""
    left, chosen = set().union(*map(traits, types)), set[str]()
    while left:
        best = max(sorted(types, key=lambda of: of.name), key=lambda of: len(traits(of) & left))
        chosen.add(best.name)
        left -= traits(best)
    return chosen


def is_represented(method: Method, kept: set[str]) -> bool:
    """Whether a method is one that types have in common, of a type that others stand for."""
    return method.name in COMMON and method.subject.singular in declared.keys() - kept


def _column(field: Field) -> str:
    """The type of its column without its limits."""
    return field.sql_type.partition("(")[0]
