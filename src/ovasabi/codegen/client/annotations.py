"""Types in the client: plain annotations, without the metadata that only the server uses."""

import keyword
import types
import typing
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ovasabi.codegen.client.formatting import Group
from ovasabi.codegen.client.literals import quoted, source_of
from ovasabi.codegen.client.names import Names
from ovasabi.decimals import plain
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.store.listing import Page

PLAIN: dict[Any, str] = {
    Any: "Any",
    UnsetType: "UnsetType",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    datetime: "datetime",
    date: "date",
    Decimal: "Decimal",
    UUID: "UUID",
}
_NONE = (None, types.NoneType)


class Part(msgspec.Struct, frozen=True):
    """A field of a struct in the client."""

    name: str
    json_name: str
    """Its name in JSON, which may be a Python keyword."""
    hint: Any
    required: bool
    default: Any
    factory: Any
    note: str


def parts_of(kind: type[msgspec.Struct]) -> list[Part]:
    """Returns the fields of a struct in order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return [
        Part(
            name=f"{field.name}_" if keyword.iskeyword(field.name) else field.name,
            json_name=field.encode_name,
            hint=hints[field.name],
            required=field.required,
            default=field.default,
            factory=field.default_factory,
            note=_note(hints[field.name]),
        )
        for field in msgspec.structs.fields(kind)
    ]


def is_secret(part: Part) -> bool:
    """Returns whether a field is secret, and so never in a response."""
    return any(isinstance(extra, Secret) for extra in _extras(part.hint))


def text_of(hint: Any, names: Names, *, sent: bool = False) -> str:
    """Returns an annotation as source; with `sent`, of an argument, whose type is wider than that of a response."""
    if typing.get_origin(hint) is Annotated:
        return text_of(typing.get_args(hint)[0], names, sent=sent)
    if hint in _NONE:
        return "None"
    if isinstance(hint, TypeVar):
        return hint.__name__
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        arms = dict.fromkeys(text_of(argument, names, sent=sent) for argument in arguments)
        return " | ".join(sorted(arms, key=lambda arm: arm == "None"))
    if origin is Literal:
        return f"{names.ours('Literal')}[{', '.join(quoted(value) for value in arguments)}]"
    if origin is not None:
        inner = ", ".join(text_of(argument, names, sent=sent) for argument in arguments)
        return f"{_generic(origin, names, sent)}[{inner}]"
    if hint in PLAIN:
        return names.ours(PLAIN[hint])
    if not _is_declared(hint):
        return names.ours(hint.__name__)
    if sent and issubclass(hint, Enum):
        return f"{names.declared(hint.__name__)} | {names.declared(f'{hint.__name__}Name')}"
    return names.declared(hint.__name__)


def _generic(origin: Any, names: Names, sent: bool) -> str:
    if origin is Page or not _is_declared(origin):
        name = {list: "Sequence", dict: "Mapping"}.get(origin, origin.__name__) if sent else origin.__name__
        return names.ours(name)
    return names.declared(origin.__name__)


def _is_declared(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, (msgspec.Struct, Enum))


def without_unset(hint: Any) -> Any:
    """Returns an annotation without UnsetType."""
    if typing.get_origin(hint) is Annotated:
        return without_unset(typing.get_args(hint)[0])
    arms = [arm for arm in typing.get_args(hint) if arm is not UnsetType]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.Union[tuple(arms)] if union else hint  # noqa: UP007


def plain_of(hint: Any) -> Any:
    """Returns the type of a value that is set: an annotation without metadata, UnsetType and None."""
    if typing.get_origin(hint) is Annotated:
        return plain_of(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(hint) if arm not in (UnsetType, types.NoneType)]
        return plain_of(arms[0]) if len(arms) == 1 else hint
    return hint


def default_of(part: Part, names: Names) -> str | Group:
    """Returns the default of a field as source; empty if the field is required."""
    return "" if part.required else source_of(part.default, names)


def shown_default(part: Part) -> str:
    """Returns the default of a field as a reader of the documentation sees it; empty if there is none to show."""
    value = part.default
    if part.required or value in (UNSET, msgspec.NODEFAULT, None, ""):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return plain(value)
    return str(value.value if isinstance(value, Enum) else value)


def classes_in(hint: Any) -> Iterator[type]:
    """Yields the structs and enums that an annotation itself names."""
    if typing.get_origin(hint) is not Literal:
        for argument in typing.get_args(hint):
            yield from classes_in(argument)
    if _is_declared(cls := typing.get_origin(hint) or hint):
        yield cls


def _note(hint: Any) -> str:
    notes = [extra.description for extra in _extras(hint) if isinstance(extra, Meta) and extra.description]
    return notes[0] if notes else ""


def _extras(hint: Any) -> Iterator[Any]:
    if typing.get_origin(hint) is Annotated:
        inner, *extras = typing.get_args(hint)
        yield from extras
        yield from _extras(inner)
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        for arm in typing.get_args(hint):
            yield from _extras(arm)
