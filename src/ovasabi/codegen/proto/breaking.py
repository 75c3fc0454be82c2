"""What would break the programs of others: the present contract beside the released one, by the rules of buf.

The rules are those of buf's category WIRE_JSON, with the names of messages, fields, procedures and values besides.
"""

from collections.abc import Iterable, Iterator

import msgspec
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)


class Break(msgspec.Struct, frozen=True, order=True):
    """Something that others rely on and that would be gone; `rule` is buf's name for it."""

    rule: str
    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} ({self.rule})"


class Named(msgspec.Struct, frozen=True):
    """All messages, enums and services of some files, by their full names."""

    messages: dict[str, DescriptorProto]
    enums: dict[str, EnumDescriptorProto]
    services: dict[str, ServiceDescriptorProto]


def breaks(released: Iterable[FileDescriptorProto], present: Iterable[FileDescriptorProto]) -> list[Break]:
    """Everything that the present files break of the released ones."""
    old, new = _named(released), _named(present)
    return sorted([*_messages(old, new), *_enums(old, new), *_services(old, new)])


def _named(files: Iterable[FileDescriptorProto]) -> Named:
    named = Named({}, {}, {})
    for file in files:
        for message in file.message_type:
            named.messages[f"{file.package}.{message.name}"] = message
            for entry in message.nested_type:  # what a map holds
                named.messages[f"{file.package}.{message.name}.{entry.name}"] = entry
        named.enums.update({f"{file.package}.{enum.name}": enum for enum in file.enum_type})
        named.services.update({f"{file.package}.{service.name}": service for service in file.service})
    return named


def _messages(old: Named, new: Named) -> Iterator[Break]:
    for name, message in old.messages.items():
        if (now := new.messages.get(name)) is None:
            if not message.options.map_entry:  # it goes with its field, whose own rules hold
                yield Break("MESSAGE_NO_DELETE", name, "the message is gone")
            continue
        numbers, names = _reserved(message), set(message.reserved_name)
        if not (numbers <= _reserved(now) and names <= set(now.reserved_name)):
            yield Break("RESERVED_MESSAGE_NO_DELETE", name, "what was reserved is not reserved any more")
        fields = {field.number: field for field in now.field}
        for field in message.field:
            place = f"{name}.{field.name}"
            if field.number in fields:
                yield from _field(place, field, fields[field.number])
            else:
                yield from _gone("FIELD", place, field, now, _reserved(now))


def _field(place: str, old: FieldDescriptorProto, new: FieldDescriptorProto) -> Iterator[Break]:
    if old.name != new.name:
        yield Break("FIELD_SAME_NAME", place, f"number {old.number} is {new.name} now")
    if old.json_name != new.json_name:
        yield Break("FIELD_SAME_JSON_NAME", place, f"in JSON it is {new.json_name} now")
    if (old.type, old.type_name) != (new.type, new.type_name):
        yield Break("FIELD_SAME_TYPE", place, f"its type was {_type(old)} and is {_type(new)}")
    if (old.label, old.proto3_optional) != (new.label, new.proto3_optional):
        yield Break("FIELD_SAME_CARDINALITY", place, f"it was {_cardinality(old)} and is {_cardinality(new)}")


def _enums(old: Named, new: Named) -> Iterator[Break]:
    for name, enum in old.enums.items():
        if (now := new.enums.get(name)) is None:
            yield Break("ENUM_NO_DELETE", name, "the enum is gone")
            continue
        numbers = _reserved_values(now)
        if not (_reserved_values(enum) <= numbers and set(enum.reserved_name) <= set(now.reserved_name)):
            yield Break("RESERVED_ENUM_NO_DELETE", name, "what was reserved is not reserved any more")
        values = {value.number: value.name for value in now.value}
        for value in enum.value:
            if value.number not in values:
                yield from _gone("ENUM_VALUE", f"{name}.{value.name}", value, now, numbers)
            elif values[value.number] != value.name:
                problem = f"number {value.number} is {values[value.number]} now"
                yield Break("ENUM_VALUE_SAME_NAME", f"{name}.{value.name}", problem)


def _services(old: Named, new: Named) -> Iterator[Break]:
    for name, service in old.services.items():
        if (now := new.services.get(name)) is None:
            yield Break("SERVICE_NO_DELETE", name, "the service is gone")
            continue
        methods = {method.name: method for method in now.method}
        for method in service.method:
            place = f"{name}.{method.name}"
            if (other := methods.get(method.name)) is None:
                yield Break("RPC_NO_DELETE", place, "the procedure is gone")
                continue
            for rule, was, is_now in (
                ("RPC_SAME_REQUEST_TYPE", method.input_type, other.input_type),
                ("RPC_SAME_RESPONSE_TYPE", method.output_type, other.output_type),
                ("RPC_SAME_CLIENT_STREAMING", method.client_streaming, other.client_streaming),
                ("RPC_SAME_SERVER_STREAMING", method.server_streaming, other.server_streaming),
            ):
                if was != is_now:
                    yield Break(rule, place, f"it was {was} and is {is_now}")


def _gone(
    what: str,
    place: str,
    old: FieldDescriptorProto | EnumValueDescriptorProto,
    now: DescriptorProto | EnumDescriptorProto,
    numbers: set[int],
) -> Iterator[Break]:
    """A field or value may go if nothing else can ever have its number or its name."""
    if old.number not in numbers:
        yield Break(f"{what}_NO_DELETE_UNLESS_NUMBER_RESERVED", place, "it is gone, and its number is free")
    if old.name not in now.reserved_name:
        yield Break(f"{what}_NO_DELETE_UNLESS_NAME_RESERVED", place, "it is gone, and its name is free")


def _reserved(message: DescriptorProto) -> set[int]:
    return {number for part in message.reserved_range for number in range(part.start, part.end)}


def _reserved_values(enum: EnumDescriptorProto) -> set[int]:
    return {number for part in enum.reserved_range for number in range(part.start, part.end + 1)}


def _type(field: FieldDescriptorProto) -> str:
    return field.type_name or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _cardinality(field: FieldDescriptorProto) -> str:
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "repeated"
    return "optional" if field.proto3_optional else "singular"
