"""The registry of codes has every error of the program, as each door tells it; pages are written from it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from google.rpc.code_pb2 import Code as GoogleCode

import ovasabi
from ovasabi.codegen.error_pages import error_pages
from ovasabi.errors import Kind, OvasabiError
from ovasabi.gateway.error_registry import Code, class_of, codes
from ovasabi.gateway.status_codes import GRPC_OF_CODE, HTTP_OF_CODE, STATUS_CODES, Grpc

SOURCE = Path(ovasabi.__file__).parent
DOCS = SOURCE.parents[1] / "docs"
REGISTRY = {code.code: code for code in codes()}


def declared_codes() -> list[str]:
    """The codes as the source files write them, found without importing anything."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for cls in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)):
            values = {
                target.id: node.value.value
                for node in cls.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            if "code" in values and "message" in values:
                found.append(values["code"])
    return found


def test_the_registry_has_each_error_that_the_sources_declare_once() -> None:
    declared = [*declared_codes(), OvasabiError.code]
    assert len(declared) > 45
    assert sorted(declared) == [code.code for code in codes()]


@pytest.mark.parametrize("code", REGISTRY.values(), ids=lambda code: code.code)
def test_a_code_has_all_that_the_doors_tell_and_a_whole_example(code: Code) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,61}[a-z0-9]", code.code)
    assert 400 <= code.http <= 599
    assert code.grpc is not Grpc.OK
    assert code.meaning.endswith(".")
    example = msgspec.json.decode(msgspec.json.encode(code.example))
    assert example["type"] == f"urn:ovasabi:error:{code.code}"
    assert (example["code"], example["status"], example["title"]) == (code.code, code.http, code.title)
    assert example["correlation_id"]
    assert example["detail"]
    assert "{" not in example["detail"] + example.get("hint", "")


def test_every_kind_has_its_own_code_of_grpc_a_status_and_a_title() -> None:
    assert set(STATUS_CODES) == set(Kind)
    assert (
        len({door.grpc for door in STATUS_CODES.values()})
        == len({door.title for door in STATUS_CODES.values()})
        == len(Kind)
    )


def test_the_codes_of_grpc_are_those_of_google() -> None:
    assert {code.name: code.value for code in Grpc} == dict(GoogleCode.items())


def test_only_errors_of_the_gateway_itself_leave_the_way_of_their_kind() -> None:
    for code in {*HTTP_OF_CODE, *GRPC_OF_CODE}:
        assert REGISTRY[code].module.startswith("ovasabi.gateway.")


def test_an_error_that_is_declared_later_is_found_by_its_code() -> None:
    assert class_of("declared_later") is None
    later = type("Later", (OvasabiError,), {"code": "declared_later", "message": "It came later."})
    assert class_of("declared_later") is later


def test_no_value_of_a_sentence_has_the_name_of_what_goes_beside_it() -> None:
    for code in REGISTRY:
        cls = class_of(code)
        assert cls is not None
        assert not cls.placeholders() & {"code", "kind"}


def test_the_pages_in_docs_are_those_that_are_written_from_the_registry() -> None:
    for path, text in error_pages().items():
        assert (DOCS / path).read_text() == text, "run `make api`, and commit what it changes"


def test_the_pages_have_a_line_for_every_code_and_a_service_its_own_page() -> None:
    pages = {path: text.splitlines() for path, text in error_pages().items()}
    for code in REGISTRY.values():
        head = f"| `{code.code}` | `{code.kind}` |"
        ((path, line),) = [(path, line) for path, lines in pages.items() for line in lines if line.startswith(head)]
        _, room, name, *_ = f"{code.module}..".split(".")
        assert path == (f"errors/{name}.md" if room in ("system", "services") else "errors.md")
        assert f"| {code.http} | `{code.grpc.name}` |" in line
        assert code.example.detail in line


def test_the_registry_alone_loads_nothing_of_grpc() -> None:
    program = "import sys, ovasabi.gateway.error_registry, ovasabi.gateway.http.failures; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert not {"grpc", "google.protobuf", "google.rpc"} & set(run.stdout.split())


def test_the_api_is_answered_without_the_framework_that_serves_the_pages() -> None:
    program = "import sys, ovasabi.gateway.http.endpoints, ovasabi.gateway.http.event_stream; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "litestar" not in run.stdout.split()
