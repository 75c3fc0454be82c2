"""Declares messages and enums for struct classes, each once under its full name."""

import typing
from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.naming import message_name, value_name
from ovasabi.gateway.contract.protobuf.schema import ContractRefused, Enum, Field, Label, Message, Sort, Type, Value
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, TypeMapping, parts_of

TIMESTAMP = Type("google.protobuf.Timestamp", Sort.MESSAGE)
STRUCT = Type("google.protobuf.Struct", Sort.MESSAGE)
UNSPECIFIED = "unspecified"
"""The value of every enum that stands for none."""


class Messages:
    """The messages and enums declared so far. `sent` are the struct classes that callers send."""

    def __init__(self, sent: frozenset[Any]) -> None:
        self.messages: dict[str, Message] = {}
        self.enums: dict[str, Enum] = {}
        self._sent = sent
        self._kinds: dict[str, Any] = {}

    def declare(self, kind: Any, name: str | None = None, *, masked: bool = False) -> str:
        """Declares a struct class and the types in it; returns its full name.

        `masked`: an update mask accompanies the message, which distinguishes omitted fields from empty ones.
        """
        full = name or message_name(kind)
        if self._is_new(full, kind):
            sent = kind in self._sent
            fields = tuple(self.field(part, full, sent, masked) for part in parts_of(kind))
            self.messages[full] = Message(full, fields, doc_of(typing.get_origin(kind) or kind))
        return full

    def add(self, message: Message) -> str:
        """Adds a message that does not correspond to a struct class."""
        if self._is_new(message.name, message):
            self.messages[message.name] = message
        return message.name

    def field(self, part: Part, message: str, sent: bool, masked: bool = False) -> Field:
        """Returns the field of a message for a part of a struct; `sent`: whether callers send it."""
        shape = part.shape
        if not masked:
            _check(part, message, sent)
        return Field(part.name, self._type(shape.inner or shape), _label(part, sent), shape.doc)

    def _type(self, shape: TypeMapping) -> Type:
        match shape.form:
            case Form.MOMENT:
                return TIMESTAMP
            case Form.OBJECT:
                return STRUCT
            case Form.CHOICE:
                return Type(self._enum(shape.cls), Sort.ENUM)
            case Form.RECORD:
                return Type(self.declare(shape.cls), Sort.MESSAGE)
        return Type(shape.word)

    def _enum(self, cls: Any) -> str:
        full = message_name(cls)
        if self._is_new(full, cls):
            self.enums[full] = Enum(full, tuple(map(Value, _value_names(cls))), doc_of(cls))
        return full

    def _is_new(self, full: str, kind: Any) -> bool:
        """Returns whether it is declared for the first time; raises `ContractRefused` if the name is already used."""
        if full not in self._kinds:
            self._kinds[full] = kind
            return True
        if self._kinds[full] != kind:
            raise ContractRefused(problem=f"Two types are named {full}.", hint="Rename one of them.")
        return False


def _value_names(cls: Any) -> list[str]:
    """Returns the names of an enum's values, after the one that every enum has; two values of one name are refused."""
    values = {value_name(cls.__name__, UNSPECIFIED): UNSPECIFIED}
    for value in (str(member.value) for member in cls):
        name = value_name(cls.__name__, value)
        if name not in values:
            values[name] = value
            continue
        what = f"{value!r} of {cls.__module__}.{cls.__name__}"
        problem = f"The values {values[name]!r} and {what} would have the same name in protobuf, {name}."
        if value == UNSPECIFIED:
            problem = f"The value {what} would have the name in protobuf that stands for no value, {name}."
        raise ContractRefused(problem, hint="Change one of the values: only their letters and digits count.")
    return list(values)


def doc_of(cls: type) -> str:
    """Returns a class's own docstring, not that of a base class."""
    return (vars(cls).get("__doc__") or "").strip()


def _check(part: Part, message: str, sent: bool) -> None:
    """Refuses a field whose null, omitted and empty values protobuf could not distinguish."""
    shape, what = part.shape, f"The field {part.name!r} of {message}"
    if part.unsettable and (shape.nullable or shape.gathers):
        raise ContractRefused(f"{what}: protobuf cannot tell omitted from null or empty.", hint="Choose one of them.")
    if sent and shape.nullable and part.default is not None and part.default is not msgspec.NODEFAULT:
        raise ContractRefused(f"{what}: protobuf cannot tell null from its default.", hint="Use `| None = None`.")


def _label(part: Part, sent: bool) -> Label:
    shape = part.shape
    if shape.gathers:
        return Label.MAP if shape.form is Form.MAP else Label.REPEATED
    has_presence = shape.form in (Form.SCALAR, Form.CHOICE) and (sent or shape.nullable or part.unsettable)
    return Label.OPTIONAL if has_presence else Label.PLAIN
