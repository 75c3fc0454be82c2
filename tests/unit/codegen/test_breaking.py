"""Each change that would break the programs of others is refused, and changes that only add are not."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from ovasabi.codegen.proto.breaking import breaks
from ovasabi.gateway.contract.protobuf.descriptors import descriptor_of
from tests.unit.gateway.contract.fixtures import CONTRACT

CONTENT, PRODUCT = "ovasabi/content/v1/content.proto", "ovasabi/product/v1/product.proto"


def files() -> dict[str, FileDescriptorProto]:
    return {file.path: descriptor_of(file) for file in CONTRACT.files}


def named(items: Any, name: str) -> Any:
    """The one of that name."""
    return next(item for item in items if item.name == name)


def drop(items: Any, name: str) -> Any:
    """Takes one away, and answers it."""
    item = named(items, name)
    items.remove(item)
    return item


def content(new: dict[str, FileDescriptorProto]) -> Any:
    return named(new[CONTENT].message_type, "Content")


def kind(new: dict[str, FileDescriptorProto]) -> Any:
    return named(new[CONTENT].enum_type, "ContentKind")


def service(new: dict[str, FileDescriptorProto]) -> Any:
    return named(new[CONTENT].service, "Contents")


def title(new: dict[str, FileDescriptorProto]) -> Any:
    return named(content(new).field, "title")


def remove_field(new: dict[str, FileDescriptorProto]) -> None:
    drop(content(new).field, "title")


def reserve_only_the_number(new: dict[str, FileDescriptorProto]) -> None:
    number = drop(content(new).field, "title").number
    content(new).reserved_range.add(start=number, end=number + 1)


def reserve_only_the_name(new: dict[str, FileDescriptorProto]) -> None:
    content(new).reserved_name.append(drop(content(new).field, "title").name)


def rename_field(new: dict[str, FileDescriptorProto]) -> None:
    field = title(new)
    field.name = field.json_name = "heading"


def rename_field_in_json(new: dict[str, FileDescriptorProto]) -> None:
    title(new).json_name = "heading"


def change_type(new: dict[str, FileDescriptorProto]) -> None:
    title(new).type = FieldDescriptorProto.TYPE_INT64


def change_message_type(new: dict[str, FileDescriptorProto]) -> None:
    named(content(new).field, "created_at").type_name = ".google.protobuf.Struct"


def change_type_in_a_map(new: dict[str, FileDescriptorProto]) -> None:
    entry = named(new[PRODUCT].message_type, "Variant").nested_type[0]
    named(entry.field, "value").type = FieldDescriptorProto.TYPE_INT64


def repeat_field(new: dict[str, FileDescriptorProto]) -> None:
    title(new).label = FieldDescriptorProto.LABEL_REPEATED


def make_optional(new: dict[str, FileDescriptorProto]) -> None:
    title(new).proto3_optional, title(new).oneof_index = True, len(content(new).oneof_decl)
    content(new).oneof_decl.add(name="_title")


def reuse_number(new: dict[str, FileDescriptorProto]) -> None:
    number = drop(content(new).field, "title").number
    content(new).field.add(name="size", json_name="size", number=number, label=1, type=3)


def remove_message(new: dict[str, FileDescriptorProto]) -> None:
    drop(new[CONTENT].message_type, "Content")


def remove_enum(new: dict[str, FileDescriptorProto]) -> None:
    drop(new[CONTENT].enum_type, "ContentKind")


def remove_value(new: dict[str, FileDescriptorProto]) -> None:
    drop(kind(new).value, "CONTENT_KIND_MICRO")


def reserve_only_the_values_number(new: dict[str, FileDescriptorProto]) -> None:
    number = drop(kind(new).value, "CONTENT_KIND_MICRO").number
    kind(new).reserved_range.add(start=number, end=number)


def rename_value(new: dict[str, FileDescriptorProto]) -> None:
    named(kind(new).value, "CONTENT_KIND_MICRO").name = "CONTENT_KIND_TINY"


def remove_service(new: dict[str, FileDescriptorProto]) -> None:
    drop(new[CONTENT].service, "Contents")


def remove_file(new: dict[str, FileDescriptorProto]) -> None:
    del new["ovasabi/search/v1/search.proto"]


def remove_procedure(new: dict[str, FileDescriptorProto]) -> None:
    drop(service(new).method, "GetContent")


def change_request(new: dict[str, FileDescriptorProto]) -> None:
    named(service(new).method, "GetContent").input_type = ".ovasabi.content.v1.GetCommentRequest"


def change_answer(new: dict[str, FileDescriptorProto]) -> None:
    named(service(new).method, "GetContent").output_type = ".ovasabi.content.v1.Comment"


def stream_answers(new: dict[str, FileDescriptorProto]) -> None:
    named(service(new).method, "GetContent").server_streaming = True


def stream_requests(new: dict[str, FileDescriptorProto]) -> None:
    named(service(new).method, "GetContent").client_streaming = True


FREE_NUMBER, FREE_NAME = "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", "FIELD_NO_DELETE_UNLESS_NAME_RESERVED"
FREE_VALUE, FREE_VALUE_NAME = "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED", "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED"
BAD: dict[Callable[[dict[str, FileDescriptorProto]], None], set[str]] = {
    remove_field: {FREE_NUMBER, FREE_NAME},
    reserve_only_the_number: {FREE_NAME},
    reserve_only_the_name: {FREE_NUMBER},
    rename_field: {"FIELD_SAME_NAME", "FIELD_SAME_JSON_NAME"},
    rename_field_in_json: {"FIELD_SAME_JSON_NAME"},
    change_type: {"FIELD_SAME_TYPE"},
    change_message_type: {"FIELD_SAME_TYPE"},
    change_type_in_a_map: {"FIELD_SAME_TYPE"},
    repeat_field: {"FIELD_SAME_CARDINALITY"},
    make_optional: {"FIELD_SAME_CARDINALITY"},
    reuse_number: {"FIELD_SAME_NAME", "FIELD_SAME_JSON_NAME", "FIELD_SAME_TYPE"},
    remove_message: {"MESSAGE_NO_DELETE"},
    remove_enum: {"ENUM_NO_DELETE"},
    remove_value: {FREE_VALUE, FREE_VALUE_NAME},
    reserve_only_the_values_number: {FREE_VALUE_NAME},
    rename_value: {"ENUM_VALUE_SAME_NAME"},
    remove_service: {"SERVICE_NO_DELETE"},
    remove_file: {"SERVICE_NO_DELETE", "MESSAGE_NO_DELETE"},
    remove_procedure: {"RPC_NO_DELETE"},
    change_request: {"RPC_SAME_REQUEST_TYPE"},
    change_answer: {"RPC_SAME_RESPONSE_TYPE"},
    stream_answers: {"RPC_SAME_SERVER_STREAMING"},
    stream_requests: {"RPC_SAME_CLIENT_STREAMING"},
}


@pytest.mark.parametrize(("change", "rules"), BAD.items(), ids=lambda given: getattr(given, "__name__", ""))
def test_a_change_that_breaks_is_found(change: Callable[[Any], None], rules: set[str]) -> None:
    new = files()
    change(new)
    assert {found.rule for found in breaks(files().values(), new.values())} == rules


def test_what_was_reserved_stays_reserved() -> None:
    old = files()
    content(old).reserved_range.add(start=90, end=91)
    kind(old).reserved_name.append("CONTENT_KIND_GONE")
    rules = {found.rule for found in breaks(old.values(), files().values())}
    assert rules == {"RESERVED_MESSAGE_NO_DELETE", "RESERVED_ENUM_NO_DELETE"}


def test_a_field_or_value_that_is_reserved_for_ever_may_go() -> None:
    new = files()
    field, value = drop(content(new).field, "title"), drop(kind(new).value, "CONTENT_KIND_MICRO")
    content(new).reserved_range.add(start=field.number, end=field.number + 1)
    content(new).reserved_name.append(field.name)
    kind(new).reserved_range.add(start=value.number, end=value.number)
    kind(new).reserved_name.append(value.name)
    assert breaks(files().values(), new.values()) == []


def test_what_is_only_added_breaks_nothing() -> None:
    new = files()
    content(new).field.add(name="size", json_name="size", number=99, label=1, type=3)
    kind(new).value.add(name="CONTENT_KIND_SONG", number=99)
    new[CONTENT].message_type.add(name="Song")
    service(new).method.add(name="Sing", input_type=".ovasabi.content.v1.Song", output_type=".ovasabi.content.v1.Song")
    new["new"] = FileDescriptorProto(name="new", package="new.v1")
    assert breaks(files().values(), new.values()) == []


def test_a_break_says_where_what_and_which_rule() -> None:
    new = files()
    change_type(new)
    (found,) = breaks(files().values(), new.values())
    assert str(found) == "ovasabi.content.v1.Content.title: its type changed from string to int64 (FIELD_SAME_TYPE)"
