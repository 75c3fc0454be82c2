"""A protobuf file as plain data, from which its text and its descriptors are generated."""

from enum import StrEnum

import msgspec

from ovasabi.errors import DeclarationError, Kind, such_as


class ContractRefused(DeclarationError):
    """A declaration cannot be expressed in protobuf, or breaks the released contract."""

    kind = Kind.PRECONDITION
    code = "contract_refused"
    message = "{problem}"
    example = such_as(problem="The request of PublishContent already has a field named campaign.")


class Sort(StrEnum):
    """What the name of a type refers to."""

    SCALAR = "scalar"
    MESSAGE = "message"
    ENUM = "enum"


class Label(StrEnum):
    """The cardinality of a field."""

    PLAIN = "plain"
    """Singular; if omitted, the zero value of its type."""
    OPTIONAL = "optional"
    """Singular, with presence: omitted and zero are distinct."""
    REPEATED = "repeated"
    MAP = "map"
    """A map with string keys."""


class Type(msgspec.Struct, frozen=True):
    """The type of a field: the keyword of a scalar, or the full name of a message or an enum."""

    name: str
    sort: Sort = Sort.SCALAR


class Field(msgspec.Struct, frozen=True):
    """A field of a message; its number is 0 until one is assigned."""

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
    """Numbers and names that were used once and must never be reused."""

    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


class Message(msgspec.Struct, frozen=True):
    """A message, with its full name."""

    name: str
    fields: tuple[Field, ...]
    doc: str = ""
    reserved: Reserved = Reserved()


class Enum(msgspec.Struct, frozen=True):
    """An enum, with its full name."""

    name: str
    values: tuple[Value, ...]
    doc: str = ""
    reserved: Reserved = Reserved()


class Procedure(msgspec.Struct, frozen=True):
    """A method of a service."""

    name: str
    request: str
    response: str
    streams: bool
    doc: str = ""


class Service(msgspec.Struct, frozen=True):
    """A service, with its full name."""

    name: str
    procedures: tuple[Procedure, ...]
    doc: str = ""


class File(msgspec.Struct, frozen=True):
    """One `.proto` file: a package and its contents."""

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
"""The standard messages of protobuf that the contract uses, and their files."""
