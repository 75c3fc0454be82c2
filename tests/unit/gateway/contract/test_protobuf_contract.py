"""The contract's names and forms, what cannot be said in it, and its numbers, which are kept for ever."""

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from ovasabi.codegen.proto.writing import text_of
from ovasabi.gateway.contract.protobuf import field_numbers
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.gateway.contract.protobuf.field_numbers import Assigned
from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.services.content.entity import Content
from tests.unit.gateway.contract.fixtures import CONTRACT, METHODS, RPCS, probe

HOME = "ovasabi.services.probe.entity"


def struct(name: str, *fields: Any) -> type[msgspec.Struct]:
    """A struct class of a service that there is not."""
    return msgspec.defstruct(name, fields, module=HOME, frozen=True)


def text(*methods: Method, given: field_numbers.Numbers | None = None) -> str:
    """The `.proto` file of the service of some methods."""
    (file,) = [file for file in Contract(list(methods), given or {}).files if file.services]
    return text_of(file)


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("contents_create", "/ovasabi.content.v1.Contents/CreateContent"),
        ("contents_list", "/ovasabi.content.v1.Contents/ListContents"),
        ("contents_publish", "/ovasabi.content.v1.Contents/PublishContent"),
        ("users_change_password", "/ovasabi.user.v1.Users/ChangePasswordUser"),
        ("master_get", "/ovasabi.master.v1.Records/GetRecord"),
        ("master_search", "/ovasabi.master.v1.Records/SearchRecords"),
        ("events_list", "/ovasabi.events.v1.Events/ListEvents"),
        ("search_search", "/ovasabi.search.v1.Search/Search"),
    ],
)
def test_a_procedure_is_called_by_its_verb_and_what_it_is_about(id: str, path: str) -> None:
    assert RPCS[id].path == path
    assert RPCS[id].request_class.DESCRIPTOR.name == f"{RPCS[id].name}Request"


def test_every_method_is_a_procedure_of_a_service_in_the_pool() -> None:
    assert sorted(RPCS) == sorted(method.id for method in METHODS)
    for rpc in CONTRACT.rpcs:
        described = CONTRACT.pool.FindServiceByName(rpc.service).methods_by_name[rpc.name]
        assert described.input_type is rpc.request_class.DESCRIPTOR
        assert described.output_type is rpc.response_class.DESCRIPTOR
    assert set(CONTRACT.services) == {rpc.service for rpc in CONTRACT.rpcs}


def test_what_is_common_to_all_entities_has_the_same_numbers_in_all() -> None:
    common = ["id", "uuid", "campaign_id", "version", "created_at", "updated_at", "metadata"]
    entities = [RPCS[f"{plural}_get"].response_class.DESCRIPTOR for plural in ("contents", "users", "quotes")]
    for descriptor in entities:
        assert [descriptor.fields_by_name[name].number for name in common] == [1, 2, 3, 4, 5, 6, 7]


def test_a_page_names_its_items_as_over_http() -> None:
    page = RPCS["contents_list"].response_class.DESCRIPTOR
    assert (page.full_name, list(page.fields_by_name)) == (
        "ovasabi.content.v1.ListContentsResponse",
        ["contents", "next_page_token", "total_size"],
    )


def test_types_of_the_kernel_are_in_a_package_of_their_own() -> None:
    assert RPCS["master_get"].response_class.DESCRIPTOR.full_name == "ovasabi.v1.Record"
    assert RPCS["master_get"].response_class.DESCRIPTOR.file.name == "ovasabi/v1/types.proto"


def test_the_contract_does_not_depend_on_the_order_of_imports() -> None:
    shuffled = sorted(METHODS, key=lambda method: method.subject.title, reverse=True)
    assert [text_of(file) for file in Contract(shuffled, {}).files] == [text_of(file) for file in CONTRACT.files]


def test_comments_say_what_a_method_does_and_who_may_call_it() -> None:
    (file,) = [text_of(file) for file in CONTRACT.files if file.path == "ovasabi/content/v1/content.proto"]
    assert (
        "  // Publishes a draft immediately.\n  //\n  // Requires the `writer` role. Over HTTP:\n"
        "  // POST /v1/campaigns/{campaign}/contents/{id}:publish\n"
        "  rpc PublishContent(PublishContentRequest) returns (Content);\n"
    ) in file
    assert "// The form of a piece of content.\nenum ContentKind {\n" in file


FILLED = msgspec.field(default_factory=lambda: ["a"])


class Clash(StrEnum):
    """Two values that are one in protobuf."""

    __module__ = HOME
    ONE = "a-b"
    OTHER = "a_b"


class Nothing(StrEnum):
    """A value that is protobuf's own."""

    __module__ = HOME
    UNSPECIFIED = "unspecified"


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (struct("R", ("campaign", str)), "has a field 'campaign', whose name is reserved"),
        (struct("R", ("id", int)), "has a field 'id', whose name is reserved"),
        (struct("R", ("expected_version", int)), "has a field 'expected_version'"),
        (struct("R", ("tags", list[str] | None)), "R.tags: protobuf cannot tell null from an empty list"),
        (
            struct("R", ("tags", list[str], msgspec.field(default_factory=lambda: ["a"]))),
            "R.tags: the default of a list or map must be empty",
        ),
        (
            struct("R", ("tags", list[str] | UnsetType, UNSET)),
            "'tags' of the request of probes_ask: protobuf cannot tell omitted",
        ),
        (
            struct("R", ("size", int | None, 5)),
            "'size' of the request of probes_ask: protobuf cannot tell null",
        ),
        (struct("R", ("either", int | str)), "R.either: a field must have one type"),
        (struct("R", ("rows", list[list[int]])), "R.rows: the items of a list or map must not be null"),
        (struct("R", ("span", timedelta)), "R.span: protobuf has no type for TimeDeltaType"),
        (struct("R", ("level", Literal[1, 2])), "R.level: protobuf has no type for LiteralType"),
        (
            struct("R", ("clash", Clash)),
            f"The values 'a-b' and 'a_b' of {HOME}.Clash would have the same name in protobuf, CLASH_A_B.",
        ),
        (
            struct("R", ("clash", Nothing)),
            f"The value 'unspecified' of {HOME}.Nothing would have the name in protobuf that stands for no value, "
            "NOTHING_UNSPECIFIED.",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_when_the_contract_is_made(kind: Any, problem: str) -> None:
    method = probe("ask", MethodKind.VERB, kind, None, on_entity=True)
    with pytest.raises(ContractRefused, match=re.escape(problem)) as refused:
        Contract([method], {})
    assert refused.value.hint or "protobuf has no" in problem or "must" in problem or "empty" in problem


def test_two_things_of_one_name_are_refused() -> None:
    one = probe("ask", MethodKind.VERB, None, struct("Answer", ("a", int)))
    other = probe("tell", MethodKind.VERB, None, struct("Answer", ("b", int)))
    with pytest.raises(ContractRefused, match=r"Two types are named ovasabi\.probe\.v1\.Answer"):
        Contract([one, other], {})
    with pytest.raises(ContractRefused, match=r"Two methods of ovasabi\.probe\.v1\.Probes are named AskProbes"):
        Contract([one, one], {})


def test_files_that_would_import_each_other_are_refused() -> None:
    inner = msgspec.defstruct("Inner", [("a", int)], module="ovasabi.services.probe.entity")
    outer = msgspec.defstruct("Outer", [("inner", inner)], module="ovasabi.services.other.entity")
    top = msgspec.defstruct("Top", [("outer", outer)], module="ovasabi.services.probe.entity")
    with pytest.raises(ContractRefused, match=r"import cycle: ovasabi/other/v1/other\.proto"):
        Contract([probe("ask", MethodKind.VERB, None, top)], {})


def test_a_struct_of_another_service_is_imported_from_its_file() -> None:
    written = text(probe("ask", MethodKind.VERB, None, Content), probe("tell", MethodKind.READ, None, Event))
    assert 'import "ovasabi/content/v1/content.proto";\nimport "ovasabi/v1/types.proto";\n' in written
    assert "returns (ovasabi.content.v1.Content);" in written
    assert "returns (ovasabi.v1.Event);" in written


FIRST = struct("Answer", ("a", int), ("b", int), ("c", int))
SECOND = struct("Answer", ("z", int), ("c", int), ("a", int))


def test_fields_keep_their_numbers_new_ones_get_the_next_and_removed_ones_are_never_used_again() -> None:
    before = field_numbers.read(text(probe("ask", MethodKind.VERB, None, FIRST)), "one")
    assert before["ovasabi.probe.v1.Answer"] == Assigned({"a": 1, "b": 2, "c": 3})
    written = text(probe("ask", MethodKind.VERB, None, SECOND), given=before)
    assert '  reserved 2;\n  reserved "b";\n  int64 z = 4;\n  int64 c = 3;\n  int64 a = 1;\n}' in written
    after = field_numbers.read(written, "two")
    assert after["ovasabi.probe.v1.Answer"] == Assigned({"z": 4, "c": 3, "a": 1}, {2}, {"b"})
    third = text(probe("ask", MethodKind.VERB, None, struct("Answer", ("c", int), ("y", int))), given=after)
    assert '  reserved 1, 2, 4;\n  reserved "a", "b", "z";\n  int64 c = 3;\n  int64 y = 5;\n}' in third
    with pytest.raises(ContractRefused, match=r"The name b in ovasabi\.probe\.v1\.Answer is reserved"):
        text(probe("ask", MethodKind.VERB, None, FIRST), given=after)


def test_values_of_an_enum_keep_their_numbers_too() -> None:
    method = RPCS["contents_react"].method
    given = {"ovasabi.content.v1.ReactionKind": Assigned({"REACTION_KIND_UNSPECIFIED": 0, "REACTION_KIND_SAD": 9}, {4})}
    contract = Contract([method], given)
    enum = contract.pool.FindEnumTypeByName("ovasabi.content.v1.ReactionKind")
    by_name = {value.name.removeprefix("REACTION_KIND_"): value.number for value in enum.values}
    assert by_name == {"UNSPECIFIED": 0, "LIKE": 10, "LOVE": 11, "LAUGH": 12, "SURPRISE": 13, "SAD": 9, "ANGRY": 14}
    (rpc,) = contract.rpcs
    message = rpc.request_class(campaign="a", id="1", user_id=1, kind=9)
    assert rpc.call(message).request.kind == "sad"


def test_the_reader_finds_every_number_of_every_file_that_is_written(tmp_path: Path) -> None:
    for file in CONTRACT.files:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(text_of(file))
    read = field_numbers.known(tmp_path)
    assert {name: given.numbers for name, given in read.items()} == {
        **{m.name: {f.name: f.number for f in m.fields} for file in CONTRACT.files for m in file.messages},
        **{e.name: {v.name: v.number for v in e.values} for file in CONTRACT.files for e in file.enums},
    }
    assert [text_of(file) for file in Contract(METHODS, read).files] == [text_of(file) for file in CONTRACT.files]


@pytest.mark.parametrize(
    "line", ["  int32 a = x;", "  reserved 1 to 4;", "<<<<<<< HEAD", "  oneof kind {", "  int64 a = 1", "import a;"]
)
def test_a_line_that_is_not_in_our_form_is_refused_by_its_place(line: str) -> None:
    written = text(probe("ask", MethodKind.VERB, None, FIRST)) + line + "\n"
    with pytest.raises(ContractRefused, match=rf"Line {written.count(chr(10))} of probe\.proto cannot be parsed"):
        field_numbers.read(written, "probe.proto")


def test_an_entity_that_a_call_names_its_campaign_by_has_its_draft_under_another_name() -> None:
    fields = list(RPCS["campaigns_update"].request_class.DESCRIPTOR.fields_by_name)
    assert fields == ["campaign", "campaign_patch", "update_mask", "expected_version"]


def test_a_method_of_one_or_all_and_of_a_campaign_or_the_platform_says_so_in_its_request() -> None:
    def fields(**given: Any) -> list[str]:
        (rpc,) = Contract([probe("ask", MethodKind.VERB, ListRequest, **given)], {}).rpcs
        return list(rpc.request_class.DESCRIPTOR.fields_by_name)

    own = list(ListRequest.__struct_fields__)
    assert fields() == ["campaign", *own]
    assert fields(resource=Resource.PLATFORM) == own
    assert fields(on_entity=True) == ["campaign", "id", *own, "expected_version"]
    assert fields(on_entity=True, resource=Resource.ITSELF) == ["campaign", *own, "expected_version"]
