"""Types and limits of fields: those that SQL, JSON, protobuf and the client can all express."""

import re
import typing
import uuid
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Literal

import msgspec
from msgspec import Meta

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.input_errors import plain
from ovasabi.kernel.declare.checks.annotations import parts_of, type_name

_SCALARS = (str, int, float, bool, Decimal, datetime, date, uuid.UUID)
_SUPPORTED = "str, int, float, bool, Decimal, datetime, date, UUID, a StrEnum, a struct, list[…] and dict[str, …]"
_MAX_ENUM_VALUE = 32
_MAX_LENGTH = 10_485_760
"""The limit of varchar."""
_DERIVED = frozenset(
    {"$ref", "additionalProperties", "anyOf", "const", "default", "enum", "items", "maxItems", "maxLength", "maximum"}
    | {"minItems", "minLength", "minimum", "multipleOf", "pattern", "properties", "required", "type"}
)
"""What a JSON Schema says about a type, which must not contradict it."""
_PYTHON_ONLY = re.compile(r"\(\?(?![:=!]|<[=!])|\\[AZ]|(?:[*+?]|(?<!\\)\})\+")
"""Flags, named and atomic groups, anchors and possessive quantifiers, which ECMA-262 writes differently or lacks."""


def check_type(what: str, hint: Any, *, stored: bool = False, markers: tuple[type, ...] = ()) -> None:
    """Raises `DeclarationError` unless a type can be expressed everywhere; `stored`: as the field of an entity.

    `markers` are the classes that may stand beside its limits.
    """
    parts = parts_of(hint)
    if len(parts.types) != 1:
        problem = f"{what} has several types: {type_name(hint)}."
        raise DeclarationError(problem, hint="Give it one, which may be nullable.")
    (base,) = parts.types
    _check_base(what, base, stored)
    if parts.nullable and _gathers(base):
        problem = f"{what} has the type {type_name(hint)}, whose null protobuf cannot tell from an empty value."
        raise DeclarationError(problem, hint="Omit `| None`.")
    for extra in parts.extras:
        if type(extra) not in (Meta, *markers):
            problem = f"{what} has {type_name(extra)} in its annotation, which means nothing there."
            raise DeclarationError(problem, hint=_hint(extra))
    if parts.meta is not None:
        _check_limits(what, base, parts.meta)
        _check_examples(what, hint, parts.meta)


def _check_base(what: str, base: Any, stored: bool) -> None:
    kind, arguments = typing.get_origin(base) or base, typing.get_args(base)
    if _is_object(base):
        return
    if _is_list(base) or _is_map(base):
        _check_item(what, "items" if kind is list else "values", arguments[-1], stored)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        check_enum(what, kind)
    elif _is_struct(kind):
        if not all(_is_struct(each) or isinstance(each, typing.TypeVar) for each in arguments):
            raise DeclarationError(f"{what} has the type {type_name(base)}, whose parameters must be structs.")
    elif not (base in _SCALARS or (not stored and _is_allowed_in_structs(base))):
        problem = f"{what} has the type {type_name(base)}, which is not supported."
        raise DeclarationError(problem, hint=f"Use {_SUPPORTED}.")


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_list(base: Any) -> bool:
    return typing.get_origin(base) is list


def _is_map(base: Any) -> bool:
    return typing.get_origin(base) is dict and parts_of(typing.get_args(base)[0]).types == (str,)


def _gathers(base: Any) -> bool:
    """Returns whether protobuf cannot distinguish null from an empty value."""
    return _is_list(base) or (_is_map(base) and not _is_object(base))


def _is_object(base: Any) -> bool:
    return _is_map(base) and typing.get_args(base)[1] is Any


def _check_item(what: str, items: str, hint: Any, stored: bool) -> None:
    """Refuses items that protobuf cannot express, or whose digits no column would keep."""
    parts = parts_of(hint)
    if parts.nullable or any(_gathers(each) for each in parts.types):
        problem = f"{what} has {items} of the type {type_name(hint)}: they must not be null, lists or maps."
        raise DeclarationError(problem, hint="Use a struct with a field for them.")
    if stored and items == "items" and parts.types == (Decimal,):
        raise DeclarationError(f"{what} is a list of decimals, which would be rounded.", hint="Use a list of str.")
    check_type(f"{what}, in its {items},", hint, stored=stored)


def check_enum(what: str, kind: type[Enum]) -> None:
    """Raises `DeclarationError` for an enum whose values a column cannot hold."""
    if not issubclass(kind, StrEnum) or not len(kind):
        raise DeclarationError(f"{what} has the type {kind.__name__}, which must be a StrEnum with values.")
    for name, member in kind.__members__.items():
        if not 1 <= len(member.value) <= _MAX_ENUM_VALUE or not member.value.isprintable():
            problem = f"{what}: {member.value!r} of {kind.__name__} must have 1 to {_MAX_ENUM_VALUE} characters."
            raise DeclarationError(problem, hint="Control characters are not allowed.")
        if name != member.name:
            problem = f"{what}: {name} and {member.name} of {kind.__name__} have the same value, {member.value!r}."
            raise DeclarationError(problem, hint="Give each a value of its own.")


def _check_limits(what: str, base: Any, meta: Meta) -> None:
    if _is_empty(base, meta):
        raise DeclarationError(f"{what} has limits that no value is within.", hint="Correct its Meta.")
    least = max(1, meta.min_length or 0)
    if meta.max_length is not None and not least <= meta.max_length <= _MAX_LENGTH:
        problem = f"{what} has max_length={meta.max_length}, which must be between {least} and {_MAX_LENGTH}."
        raise DeclarationError(problem)
    if meta.pattern is not None and (found := _PYTHON_ONLY.search(meta.pattern)):
        problem = f"{what} has a pattern with {found[0]!r}, which only Python understands."
        raise DeclarationError(problem, hint="Use what ECMA-262 has, too: clients check the pattern as well.")
    if derived := sorted(_DERIVED.intersection(meta.extra_json_schema or {})):
        problem = f"{what} has {derived[0]!r} in extra_json_schema, which follows from its type."
        raise DeclarationError(problem, hint="Declare it with the type, or with the other arguments of Meta.")
    for text in (meta.title, meta.description):
        if text is not None and not text.replace("\n", " ").isprintable():
            raise DeclarationError(f"{what} has a description with control characters.", hint="Remove them.")


def _is_empty(base: Any, meta: Meta) -> bool:
    """Returns whether no number is within the limits."""
    whole = base is int
    low = meta.ge if meta.gt is None else meta.gt + whole
    high = meta.le if meta.lt is None else meta.lt - whole
    if low is None or high is None:
        return False
    step = meta.multiple_of if whole else None
    is_open = not whole and (meta.gt, meta.lt) != (None, None)
    return low > high or (is_open and low == high) or (step is not None and -(-low // step) * step > high)


def _check_examples(what: str, hint: Any, meta: Meta) -> None:
    """Refuses limits that msgspec refuses, and examples that are not within them."""
    try:
        msgspec.json.Decoder(hint)
    except Exception as error:
        raise DeclarationError(f"{what} has limits that are not possible: {str(error).rstrip('.')}.") from error
    for example in meta.examples or ():
        try:
            msgspec.convert(example, hint)
        except msgspec.ValidationError as error:
            problem = f"{what} has the example {example!r}, which is not valid: {plain(error)}."
            raise DeclarationError(problem) from error


def _is_allowed_in_structs(base: Any) -> bool:
    if typing.get_origin(base) is Literal:
        return all(isinstance(value, str) for value in typing.get_args(base))
    return base is bytes or isinstance(base, typing.TypeVar)


def _hint(extra: Any) -> str:
    if isinstance(extra, type):
        return f"Add parentheses: {extra.__name__}(…)."
    return "Remove it: only Meta(…) and, for the fields of an entity, one of each marker are allowed."
