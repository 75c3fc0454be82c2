"""The messages and enums that struct classes become, each declared once under its full name."""

import typing
from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.naming import message_name, value_name
from ovasabi.gateway.contract.protobuf.schema import ContractRefused, Enum, Field, Label, Message, Sort, Type, Value
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, TypeMapping, parts_of

TIMESTAMP = Type("google.protobuf.Timestamp", Sort.MESSAGE)
STRUCT = Type("google.protobuf.Struct", Sort.MESSAGE)


class Messages:
    """What was declared so far. `taken` are the struct classes that callers send."""

    def __init__(self, taken: frozenset[Any]) -> None:
        self.messages: dict[str, Message] = {}
        self.enums: dict[str, Enum] = {}
        self._taken = taken
        self._kinds: dict[str, Any] = {}

    def declare(self, kind: Any, name: str | None = None, *, masked: bool = False) -> str:
        """Declares a struct class, and whatever is in it; answers its full name.

        `masked` says that a mask comes with it, which tells what is left out from what is empty.
        """
        full = name or message_name(kind)
        if self._is_new(full, kind):
            taken = kind in self._taken
            fields = tuple(self.field(part, taken, masked) for part in parts_of(kind))
            self.messages[full] = Message(full, fields, doc_of(typing.get_origin(kind) or kind))
        return full

    def add(self, message: Message) -> str:
        """Adds a message that no struct class stands for."""
        if self._is_new(message.name, message):
            self.messages[message.name] = message
        return message.name

    def field(self, part: Part, taken: bool, masked: bool = False) -> Field:
        """The field of a part of a struct; `taken` says that callers send it."""
        shape = part.shape
        if not masked:
            _check(part, taken)
        return Field(part.name, self._type(shape.inner or shape), _label(part, taken), shape.doc)

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
            names = ["unspecified", *(str(member.value) for member in cls)]
            values = tuple(Value(value_name(cls.__name__, name)) for name in names)
            if len({value.name for value in values}) < len(values):
                raise ContractRefused(problem=f"Two values of {cls.__name__} have the same name in protobuf.")
            self.enums[full] = Enum(full, values, doc_of(cls))
        return full

    def _is_new(self, full: str, kind: Any) -> bool:
        """Whether it is declared for the first time; refused if something else has its name."""
        if full not in self._kinds:
            self._kinds[full] = kind
            return True
        if self._kinds[full] != kind:
            raise ContractRefused(problem=f"Two things are called {full}.", hint="Give one of them another name.")
        return False


def doc_of(cls: type) -> str:
    """What a class says of itself; not what its base says."""
    return (vars(cls).get("__doc__") or "").strip()


def _check(part: Part, taken: bool) -> None:
    """Refuses what protobuf cannot tell apart: it says null, left out and an empty list all in the same way."""
    shape = part.shape
    if part.unsettable and (shape.nullable or shape.gathers):
        raise ContractRefused(problem=f"The field {part.name!r}: protobuf would not tell left out from null or empty.")
    if taken and shape.nullable and part.default is not None and part.default is not msgspec.NODEFAULT:
        raise ContractRefused(problem=f"The field {part.name!r}: protobuf would not tell null from its default.")


def _label(part: Part, taken: bool) -> Label:
    shape = part.shape
    if shape.gathers:
        return Label.MAP if shape.form is Form.MAP else Label.REPEATED
    told = shape.form in (Form.SCALAR, Form.CHOICE) and (taken or shape.nullable or part.unsettable)
    return Label.OPTIONAL if told else Label.PLAIN
