"""Values as Python source, as the formatter writes them: defaults of fields, values of enums and literals."""

import math
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from ovasabi.codegen.client.formatting import WIDTH, Group, laid_out, prefixed
from ovasabi.codegen.client.names import Names
from ovasabi.decimals import plain


def source_of(value: Any, names: Names) -> str | Group:
    """Returns a value as source."""
    if value is UNSET:
        return names.ours("UNSET")
    match value:
        case Enum():
            return f"{names.declared(type(value).__name__)}.{value.name}"
        case str():
            return quoted(value)
        case float():
            return number(value) if math.isfinite(value) else Group(f"{names.ours('float')}(", [f'"{value}"'], ")")
        case Decimal():
            return Group(f"{names.ours('Decimal')}(", [quoted(plain(value))], ")")
        case UUID():
            return Group(f"{names.ours('UUID')}(", [quoted(str(value))], ")")
        case datetime() | date():
            kind = "datetime" if isinstance(value, datetime) else "date"
            return Group(f"{names.ours(kind)}.fromisoformat(", [quoted(value.isoformat())], ")")
        case bytes():
            return f"b{quoted(value.decode('latin-1'), 127)}"
        case list():
            return Group("[", [source_of(item, names) for item in value], "]")
        case dict():
            pairs = [prefixed(f"{quoted(name)}: ", source_of(item, names)) for name, item in value.items()]
            return Group("{", pairs, "}")
        case msgspec.Struct():
            items = [(name, getattr(value, name)) for name in type(value).__struct_fields__]
            parts = [prefixed(f"{name}=", source_of(item, names)) for name, item in items]
            return Group(f"{names.declared(type(value).__name__)}(", parts, ")")
    return repr(value)


def quoted(text: str, greatest: int = 0x10FFFF) -> str:
    """Returns a text in double quotes, or in single quotes if it has more double ones than single ones."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    return mark + "".join(_escaped(character, mark, greatest) for character in text) + mark


def number(value: float) -> str:
    """Returns a number without the plus sign of an exponent."""
    return repr(value).replace("e+", "e")


def assigned(indent: int, target: str, value: str | Group) -> str:
    """Returns an assignment: what is longer than a line is put in parentheses, or on several lines, if that helps."""
    one = laid_out(indent, f"{target} = {value}") if isinstance(value, str) else _laid_out(indent, target, value)
    if isinstance(value, Group) or len(one) <= WIDTH:
        return one
    if indent + 4 + len(value) > WIDTH:
        return f"{one}  # noqa: E501"
    space = " " * indent
    return f"{space}{target} = (\n{space}    {value}\n{space})"


def _laid_out(indent: int, target: str, value: Group) -> str:
    lines = laid_out(indent, prefixed(f"{target} = ", value)).split("\n")
    return "\n".join(f"{line}  # noqa: E501" if _is_too_long(line) else line for line in lines)


def _is_too_long(line: str) -> bool:
    """Returns whether the linter finds a line too long: it accepts one without spaces, which cannot be divided."""
    return len(line) > WIDTH and len(line.split()) > 1


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(character: str, mark: str, greatest: int) -> str:
    if character == mark:
        return f"\\{character}"
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if character.isprintable() and code < greatest:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
