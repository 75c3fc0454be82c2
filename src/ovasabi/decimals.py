"""Decimals in plain digits, as they are published everywhere: `str` writes small and large ones with an exponent."""

import re
import typing
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import msgspec

_EXPONENT = re.compile(rb'E[+-][0-9]+"')


def plain(value: Decimal) -> str:
    """Returns a decimal in digits, with a fraction if it has one and without an exponent; zero has no sign."""
    return format(value or abs(value), "f")


def to_json(value: Any, *, order: Literal["sorted"] | None = None) -> bytes:
    """Encodes a value as JSON with its decimals in plain digits."""
    text = msgspec.json.encode(value, order=order)
    # Most values hold no decimals, and few decimals have an exponent; only what may have one is walked through.
    if _may_hold_decimals(value) and _EXPONENT.search(text):
        return msgspec.json.encode(to_builtins(value), order=order)
    return text


def to_builtins(value: Any) -> Any:
    """Returns a value in terms of the types of JSON, with its decimals as text in plain digits."""
    return _without_decimals(msgspec.to_builtins(value, builtin_types=(Decimal,)))


def _without_decimals(value: Any) -> Any:
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return {name: _without_decimals(part) for name, part in value.items()}
        case list() | tuple():
            return [_without_decimals(part) for part in value]
    return value


def _may_hold_decimals(value: Any) -> bool:
    """Returns whether a decimal may be in a value."""
    cls: Any = type(value)
    known = _holds_decimals(cls)
    if known is not None:
        return known
    if isinstance(value, msgspec.Struct):
        value = [getattr(value, name) for name in value.__struct_fields__]
    parts = value.values() if isinstance(value, dict) else value
    kinds = {kind: _holds_decimals(kind) for kind in set(map(type, parts))}
    if None not in kinds.values():
        return True in kinds.values()
    return any(kinds[type(part)] or (kinds[type(part)] is None and _may_hold_decimals(part)) for part in parts)


@cache
def _holds_decimals(cls: type) -> bool | None:
    """Returns whether values of a class hold decimals, by what it declares; None if their parts must be looked at."""
    if issubclass(cls, dict | list | tuple):
        return None
    if issubclass(cls, msgspec.Struct):
        return None if hasattr(cls, "__parameters__") else _declares_decimals(cls)
    return issubclass(cls, Decimal)


def _declares_decimals(cls: type[msgspec.Struct]) -> bool:
    """Returns whether a field of a struct, or of those in it, is a decimal; one that is Any holds values of JSON."""
    found, waiting = set[Any](), list[Any]([cls])
    while waiting:
        hint = waiting.pop()
        if hint is Decimal or isinstance(hint, typing.TypeVar):
            return True
        if hint in found or typing.get_origin(hint) is Literal:
            continue
        found.add(hint)
        waiting += typing.get_args(hint)
        struct = typing.get_origin(hint) or hint
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            waiting += typing.get_type_hints(struct).values()
    return False
