"""Decimals in plain digits, as they are published everywhere: `str` writes small and large ones with an exponent."""

import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

_EXPONENT = re.compile(rb'"-?[0-9]+(?:\.[0-9]+)?E[+-][0-9]+"')


def plain(value: Decimal) -> str:
    """Returns a decimal in digits, with a fraction if it has one and without an exponent; zero has no sign."""
    return format(value or abs(value), "f")


def to_json(value: Any, *, order: Literal["sorted"] | None = None) -> bytes:
    """Encodes a value as JSON with its decimals in plain digits."""
    text = msgspec.json.encode(value, order=order)
    # Few decimals have an exponent: the value is walked through only if one may be in the text.
    if (b"E-" in text or b"E+" in text) and _EXPONENT.search(text):
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
