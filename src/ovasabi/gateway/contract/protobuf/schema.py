"""A protobuf file as plain data: what is written as text, made into descriptors, and given its numbers."""

from enum import StrEnum

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as


class ContractRefused(OvasabiError):
    """What is declared cannot be said in protobuf, or breaks what was promised."""

    kind = Kind.PRECONDITION
    code = "contract_refused"
    message = "{problem}"
    example = such_as(problem="A request of PublishContent already has a field campaign.")


class Sort(StrEnum):
    """What the name of a type stands for."""

    SCALAR = "scalar"
    MESSAGE = "message"
    ENUM = "enum"


class Label(StrEnum):
    """How often a field is there."""

    PLAIN = "plain"
    """Once; what is not sent is the type's zero."""
    OPTIONAL = "optional"
    """Once or not at all, and the two are told apart."""
    REPEATED = "repeated"
    MAP = "map"
    """By a key that is text."""


class Type(msgspec.Struct, frozen=True):
    """The type of a field: a scalar by its word, a message or an enum by its full name."""

    name: str
    sort: Sort = Sort.SCALAR


class Field(msgspec.Struct, frozen=True):
    """A field of a message; its number is 0 until it is given one."""

    name: str
    type: Type
    label: Label = Label.PLAIN
    doc: str = ""
    number: int = 0


class Value(msgspec.Struct, frozen=True):
    """A value of an enum."""

    name: str
    number: int = 0


class Reserved(msgspec.Struct, frozen=True):
    """What was there once, and is never used for anything else."""

    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


class Message(msgspec.Struct, frozen=True):
    """A message, by its full name."""

    name: str
    fields: tuple[Field, ...]
    doc: str = ""
    reserved: Reserved = Reserved()


class Enum(msgspec.Struct, frozen=True):
    """An enum, by its full name."""

    name: str
    values: tuple[Value, ...]
    doc: str = ""
    reserved: Reserved = Reserved()


class Procedure(msgspec.Struct, frozen=True):
    """A method of a service."""

    name: str
    request: str
    answer: str
    streams: bool
    doc: str = ""


class Service(msgspec.Struct, frozen=True):
    """A service, by its full name."""

    name: str
    procedures: tuple[Procedure, ...]
    doc: str = ""


class File(msgspec.Struct, frozen=True):
    """One `.proto` file: a package and what is in it."""

    path: str
    package: str
    imports: tuple[str, ...]
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]


STANDARD = {
    f"google.protobuf.{name}": f"google/protobuf/{file}.proto"
    for name, file in (
        ("Empty", "empty"),
        ("FieldMask", "field_mask"),
        ("Struct", "struct"),
        ("Timestamp", "timestamp"),
    )
}
"""The messages of protobuf's own that are used, and the files that they are in."""
