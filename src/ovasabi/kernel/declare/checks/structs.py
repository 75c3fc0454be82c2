"""Structs that requests, responses and fields consist of: plain objects with fields of supported types."""

import math
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.input_errors import plain
from ovasabi.kernel.declare.checks.annotations import hints_of, parts_of
from ovasabi.kernel.declare.checks.types import check_type
from ovasabi.kernel.declare.names import check_snake

_PLAIN = {"array_like": False, "omit_defaults": False, "tag": None}
"""The options of a struct class without which its JSON is not an object with all of its fields."""


def check_struct(kind: type[msgspec.Struct], known: frozenset[str] = frozenset()) -> None:
    """Raises `DeclarationError` unless a struct can be expressed everywhere; `known` fields are checked already."""
    for option, value in _PLAIN.items():
        if getattr(kind.__struct_config__, option) != value:
            problem = f"{_path(kind)} has the option {option}, so its JSON would not be what the contract says."
            raise DeclarationError(problem, hint="Omit the option.")
    hints = hints_of(_path(kind), kind)
    for field in msgspec.structs.fields(kind):
        if field.name in known:
            continue
        what = f"The field {field.name} of {_path(kind)}"
        if field.encode_name == field.name:
            check_snake(what, field.name)
        check_type(what, hints[field.name])
        _check_default(what, hints[field.name], field)
    if kind in _required(kind):
        problem = f"{_path(kind)} requires a value of its own type, so there can be none."
        raise DeclarationError(problem, hint="Make a field on the way nullable, with the default null.")


def _check_default(what: str, hint: Any, field: msgspec.structs.FieldInfo) -> None:
    try:
        value = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if value is not NODEFAULT and value is not UNSET:
            msgspec.convert(msgspec.to_builtins(value), hint)
            if not _is_finite(msgspec.to_builtins(value, builtin_types=(Decimal,))):
                raise ValueError("it contains a number that is not finite")
    except Exception as error:  # a default can be any object, and a factory any function
        raise DeclarationError(f"{what} has a default that is not valid: {plain(error)}.") from error


def _is_finite(value: Any) -> bool:
    """Returns whether all numbers in a value are finite; JSON has no others."""
    match value:
        case float():
            return math.isfinite(value)
        case Decimal():
            return value.is_finite()
        case dict():
            return all(map(_is_finite, value.values()))
        case list() | tuple():
            return all(map(_is_finite, value))
    return True


def _required(kind: type[msgspec.Struct]) -> set[type]:
    """Returns the structs of which each value of a struct contains one."""
    found: set[type] = set()
    waiting = [kind]
    while waiting:
        struct = waiting.pop()
        hints = hints_of(_path(struct), struct)
        parts = [parts_of(hints[field.name]) for field in msgspec.structs.fields(struct) if field.required]
        inner = {part.types[0] for part in parts if len(part.types) == 1 and not part.nullable}
        structs = {each for each in inner if isinstance(each, type) and issubclass(each, msgspec.Struct)}
        waiting += structs - found
        found |= structs
    return found


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__name__}"
