"""Converts files of the contract to protobuf descriptors, in a separate pool, and to message classes."""

from google.protobuf import empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto
from google.protobuf.descriptor_pb2 import FileDescriptorProto as FileProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.message_factory import GetMessageClass

from ovasabi.gateway.contract.protobuf.naming import camel, json_name
from ovasabi.gateway.contract.protobuf.schema import Enum, Field, File, Label, Message, Sort

STANDARD_FILES = (empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2)
_SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_NAMED = {Sort.MESSAGE: FieldDescriptorProto.TYPE_MESSAGE, Sort.ENUM: FieldDescriptorProto.TYPE_ENUM}


def pool_of(files: tuple[File, ...]) -> DescriptorPool:
    """Returns a pool with the files, which must be in import order, and the standard files that they import."""
    pool = DescriptorPool()
    for module in STANDARD_FILES:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in files:
        pool.AddSerializedFile(descriptor_of(file).SerializeToString())
    return pool


def class_of(pool: DescriptorPool, name: str) -> type[ProtoMessage]:
    """Returns the class of a message in the pool."""
    return GetMessageClass(pool.FindMessageTypeByName(name))


def descriptor_of(file: File) -> FileProto:
    """Returns the descriptor of a file."""
    made = FileProto(name=file.path, package=file.package, syntax="proto3", dependency=file.imports)
    made.message_type.extend(_message(message) for message in file.messages)
    made.enum_type.extend(_enum(enum) for enum in file.enums)
    for service in file.services:
        added = made.service.add(name=_last(service.name))
        for each in service.procedures:
            added.method.add(
                name=each.name,
                input_type=f".{each.request}",
                output_type=f".{each.response}",
                server_streaming=True if each.streams else None,
            )
    return made


def _message(message: Message) -> DescriptorProto:
    made = DescriptorProto(name=_last(message.name), reserved_name=message.reserved.names)
    for number in message.reserved.numbers:
        made.reserved_range.add(start=number, end=number + 1)
    for field in message.fields:
        added = made.field.add(name=field.name, number=field.number, json_name=json_name(field.name))
        added.label = FieldDescriptorProto.LABEL_OPTIONAL
        _set_type(added, field)
        match field.label:
            case Label.OPTIONAL:
                added.proto3_optional, added.oneof_index = True, len(made.oneof_decl)
                made.oneof_decl.add(name=f"_{field.name}")
            case Label.REPEATED:
                added.label = FieldDescriptorProto.LABEL_REPEATED
            case Label.MAP:
                added.label = FieldDescriptorProto.LABEL_REPEATED
                entry = _entry(made, field)
                added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{message.name}.{entry}"
    return made


def _entry(made: DescriptorProto, field: Field) -> str:
    """Adds the message that represents an entry of a map."""
    entry = made.nested_type.add(name=f"{camel(field.name)}Entry")
    entry.options.map_entry = True
    key = entry.field.add(name="key", number=1, json_name="key", label=FieldDescriptorProto.LABEL_OPTIONAL)
    key.type = FieldDescriptorProto.TYPE_STRING
    value = entry.field.add(name="value", number=2, json_name="value", label=FieldDescriptorProto.LABEL_OPTIONAL)
    _set_type(value, field)
    return entry.name


def _set_type(made: FieldDescriptorProto, field: Field) -> None:
    if field.type.sort is Sort.SCALAR:
        made.type = _SCALARS[field.type.name]
    else:
        made.type, made.type_name = _NAMED[field.type.sort], f".{field.type.name}"


def _enum(enum: Enum) -> EnumDescriptorProto:
    made = EnumDescriptorProto(name=_last(enum.name), reserved_name=enum.reserved.names)
    for number in enum.reserved.numbers:
        made.reserved_range.add(start=number, end=number)
    for value in enum.values:
        made.value.add(name=value.name, number=value.number)
    return made


def _last(name: str) -> str:
    return name.rpartition(".")[2]
