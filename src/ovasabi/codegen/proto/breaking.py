"""Detects breaking changes: compares the current contract with the released one, by the rules of buf.

The rules are those of buf's category WIRE_JSON, and also cover the names of messages, fields, procedures and values.
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
    """A breaking change; `rule` is buf's name of the violated rule."""

    rule: str
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem} ({self.rule})"


class Named(msgspec.Struct, frozen=True):
    """All messages, enums and services of some files, by their full names."""

    messages: dict[str, DescriptorProto]
    enums: dict[str, EnumDescriptorProto]
    services: dict[str, ServiceDescriptorProto]


def breaks(released: Iterable[FileDescriptorProto], current: Iterable[FileDescriptorProto]) -> list[Break]:
    """Returns all breaking changes of the current files against the released ones."""
    old, new = _named(released), _named(current)
    return sorted([*_messages(old, new), *_enums(old, new), *_services(old, new)])


def _named(files: Iterable[FileDescriptorProto]) -> Named:
    named = Named({}, {}, {})
    for file in files:
        for message in file.message_type:
            named.messages[f"{file.package}.{message.name}"] = message
            for entry in message.nested_type:  # the entries of a map
                named.messages[f"{file.package}.{message.name}.{entry.name}"] = entry
        named.enums.update({f"{file.package}.{enum.name}": enum for enum in file.enum_type})
        named.services.update({f"{file.package}.{service.name}": service for service in file.service})
    return named


def _messages(old: Named, new: Named) -> Iterator[Break]:
    for name, message in old.messages.items():
        if (now := new.messages.get(name)) is None:
            if not message.options.map_entry:  # removed with its field, to which the rules of fields apply
                yield Break("MESSAGE_NO_DELETE", name, "the message was removed")
            continue
        numbers, names = _reserved(message), set(message.reserved_name)
        if not (numbers <= _reserved(now) and names <= set(now.reserved_name)):
            yield Break("RESERVED_MESSAGE_NO_DELETE", name, "reserved numbers or names are no longer reserved")
        fields = {field.number: field for field in now.field}
        for field in message.field:
            path = f"{name}.{field.name}"
            if field.number in fields:
                yield from _field(path, field, fields[field.number])
            else:
                yield from _removed("FIELD", path, field, now, _reserved(now))


def _field(path: str, old: FieldDescriptorProto, new: FieldDescriptorProto) -> Iterator[Break]:
    if old.name != new.name:
        yield Break("FIELD_SAME_NAME", path, f"number {old.number} is now {new.name}")
    if old.json_name != new.json_name:
        yield Break("FIELD_SAME_JSON_NAME", path, f"its JSON name is now {new.json_name}")
    if (old.type, old.type_name) != (new.type, new.type_name):
        yield Break("FIELD_SAME_TYPE", path, f"its type changed from {_type(old)} to {_type(new)}")
    if (old.label, old.proto3_optional) != (new.label, new.proto3_optional):
        yield Break("FIELD_SAME_CARDINALITY", path, f"it changed from {_cardinality(old)} to {_cardinality(new)}")


def _enums(old: Named, new: Named) -> Iterator[Break]:
    for name, enum in old.enums.items():
        if (now := new.enums.get(name)) is None:
            yield Break("ENUM_NO_DELETE", name, "the enum was removed")
            continue
        numbers = _reserved_values(now)
        if not (_reserved_values(enum) <= numbers and set(enum.reserved_name) <= set(now.reserved_name)):
            yield Break("RESERVED_ENUM_NO_DELETE", name, "reserved numbers or names are no longer reserved")
        values = {value.number: value.name for value in now.value}
        for value in enum.value:
            if value.number not in values:
                yield from _removed("ENUM_VALUE", f"{name}.{value.name}", value, now, numbers)
            elif values[value.number] != value.name:
                problem = f"number {value.number} is now {values[value.number]}"
                yield Break("ENUM_VALUE_SAME_NAME", f"{name}.{value.name}", problem)


def _services(old: Named, new: Named) -> Iterator[Break]:
    for name, service in old.services.items():
        if (now := new.services.get(name)) is None:
            yield Break("SERVICE_NO_DELETE", name, "the service was removed")
            continue
        methods = {method.name: method for method in now.method}
        for method in service.method:
            path = f"{name}.{method.name}"
            if (other := methods.get(method.name)) is None:
                yield Break("RPC_NO_DELETE", path, "the procedure was removed")
                continue
            for rule, before, after in (
                ("RPC_SAME_REQUEST_TYPE", method.input_type, other.input_type),
                ("RPC_SAME_RESPONSE_TYPE", method.output_type, other.output_type),
                ("RPC_SAME_CLIENT_STREAMING", method.client_streaming, other.client_streaming),
                ("RPC_SAME_SERVER_STREAMING", method.server_streaming, other.server_streaming),
            ):
                if before != after:
                    yield Break(rule, path, f"it changed from {before} to {after}")


def _removed(
    what: str,
    path: str,
    old: FieldDescriptorProto | EnumValueDescriptorProto,
    now: DescriptorProto | EnumDescriptorProto,
    numbers: set[int],
) -> Iterator[Break]:
    """Checks a removed field or value, whose number and name must be reserved, so that nothing can reuse them."""
    if old.number not in numbers:
        yield Break(f"{what}_NO_DELETE_UNLESS_NUMBER_RESERVED", path, "it was removed, and its number is not reserved")
    if old.name not in now.reserved_name:
        yield Break(f"{what}_NO_DELETE_UNLESS_NAME_RESERVED", path, "it was removed, and its name is not reserved")


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
