"""What is in git is what is generated; the `.proto` files are valid, and mean what is served."""

import importlib.resources
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import ovasabi
from ovasabi.cli import api as command
from ovasabi.codegen import client, generated
from ovasabi.codegen.proto import release
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf import field_numbers
from ovasabi.gateway.contract.protobuf.contract import Contract, contract_of
from ovasabi.gateway.contract.protobuf.descriptors import descriptor_of
from tests.unit.gateway.contract.fixtures import METHODS

ROOT = Path(ovasabi.__file__).parents[2]
SERVED = contract_of(METHODS)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the generated files."""
    for path in (*generated.generated(METHODS), f"api/{release.NAME}"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def compiled(folder: Path) -> dict[str, FileDescriptorProto]:
    """The files as Google's own compiler reads them."""
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*.proto")]
    standard = importlib.resources.files("grpc_tools") / "_proto"
    out = folder / "compiled.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{standard}", f"--descriptor_set_out={out}"]
    answer = subprocess.run([*command, *paths], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stderr) == (0, "")
    files = FileDescriptorSet.FromString(out.read_bytes()).file
    assert len(files) == len(paths)
    return {file.name: file for file in files}


def test_what_is_in_git_is_what_is_generated() -> None:
    files = generated.generated(METHODS)
    assert len(files) > 15
    assert generated.drift(ROOT, files) == [], "run `make api`, and commit what it changes"


def test_the_generated_files_do_not_depend_on_what_was_imported_first() -> None:
    shuffled = sorted(METHODS, key=lambda method: method.subject.label, reverse=True)
    assert generated.generated(shuffled) == generated.generated(METHODS)


def test_the_fragments_hold_all_that_is_served_but_what_depends_on_other_services() -> None:
    served = json.loads(document(METHODS))
    for path in served["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                answer.pop("links", None)
    for name, schema in served["components"]["schemas"].items():
        if name.endswith("Metadata") and "service_specific" in schema["properties"]:
            del schema["properties"]["service_specific"]["propertyNames"]["not"]
    whole = json.loads(generated.openapi(METHODS)["api/ovasabi/v1/openapi.json"])
    assert whole["paths"] == {}
    for path, text in generated.openapi(METHODS).items():
        part = json.loads(text)
        assert not part["paths"].keys() & whole["paths"].keys(), path
        whole["paths"] |= part["paths"]
        whole["components"]["schemas"] |= part["components"]["schemas"]
    assert whole == served


def test_a_service_is_in_no_file_of_another() -> None:
    """Without the service of quotes, only its own files are gone, and it is missing in three lists of all services."""
    without = [method for method in METHODS if method.subject.folder != "quotes"]
    whole, rest = generated.generated(METHODS), generated.generated(without)
    changed = {path for path in rest if rest[path] != whole[path]}
    assert changed == {f"{client.FOLDER}/{name}.py" for name in ("__init__", "api_async")} | {"docs/state-machines.md"}
    gone = set(whole) - set(rest)
    assert {"api/ovasabi/quotes/v1/quotes.proto", "api/ovasabi/quotes/v1/openapi.json"} < gone
    assert all("quotes" in path for path in gone)


def test_generated_files_say_so_in_their_first_line() -> None:
    for path, text in generated.generated(METHODS).items():
        if not path.endswith(".json"):  # which has no comments
            assert "Generated" in text.partition("\n")[0], path


def test_the_files_compile_and_mean_what_is_served(copy: Path) -> None:
    files = compiled(copy / "api")
    assert files == {file.path: descriptor_of(file) for file in SERVED.files}


def test_reserved_numbers_and_names_compile_and_mean_what_is_served(tmp_path: Path) -> None:
    given = field_numbers.known(ROOT / "api")
    given["ovasabi.content.v1.Content"].numbers["gone"] = 90
    given["ovasabi.content.v1.ContentKind"].numbers["CONTENT_KIND_GONE"] = 91
    contract = Contract(METHODS, given)
    for file in contract.files:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(generated.text_of(file))
    files = compiled(tmp_path)
    assert files == {file.path: descriptor_of(file) for file in contract.files}
    (content,) = [m for m in files["ovasabi/content/v1/content.proto"].message_type if m.name == "Content"]
    assert (content.reserved_name, content.reserved_range[0].start) == (["gone"], 90)


def test_drift_names_what_differs_what_is_missing_and_what_is_left_over(copy: Path) -> None:
    files = generated.generated(METHODS)
    assert generated.drift(copy, files) == []
    (copy / "api/ovasabi/content/v1/openapi.json").write_text("{}")
    (copy / "api/ovasabi/user/v1/user.proto").unlink()
    (copy / "api/ovasabi/old/v1").mkdir(parents=True)
    (copy / "api/ovasabi/old/v1/old.proto").write_text("")
    (copy / "docs/errors/old.md").write_text("")
    kept = copy / client.SERVICES / "content/api.py"
    kept.write_text("# Made from `api_async.py` by `unasync.py`\n")
    different = [
        "api/ovasabi/content/v1/openapi.json",
        "api/ovasabi/old/v1/old.proto",
        "api/ovasabi/user/v1/user.proto",
        "docs/errors/old.md",
    ]
    assert generated.drift(copy, files) == different
    assert generated.write(copy, files) == different
    assert generated.drift(copy, files) == []
    assert not (copy / "api/ovasabi/old/v1/old.proto").exists()
    assert kept.exists()


def test_the_command_checks_and_says_what_drifted(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(command.api, ["--check"], catch_exceptions=False).output == ""
    (copy / "pyproject.toml").touch()
    (copy / "api/ovasabi/content/v1/openapi.json").write_text("{}")
    monkeypatch.setattr(command.ovasabi, "__file__", str(copy / "src" / "ovasabi" / "__init__.py"))
    with pytest.raises(command.Drifted, match=r"out of date: api/ovasabi/content/v1/openapi\.json\."):
        CliRunner().invoke(command.api, ["--check"], catch_exceptions=False)
    assert (copy / "api/ovasabi/content/v1/openapi.json").read_text() == "{}"
    assert CliRunner().invoke(command.api, catch_exceptions=False).output == "api/ovasabi/content/v1/openapi.json\n"
    assert CliRunner().invoke(command.api, ["--check"], catch_exceptions=False).output == ""


def test_the_command_refuses_to_work_without_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.ovasabi, "__file__", str(tmp_path / "site-packages" / "ovasabi" / "__init__.py"))
    with pytest.raises(command.NoSources):
        CliRunner().invoke(command.api, catch_exceptions=False)


def test_a_release_is_recorded_and_from_then_on_kept(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "pyproject.toml").touch()
    (copy / "api" / release.NAME).unlink()
    monkeypatch.setattr(command.ovasabi, "__file__", str(copy / "src" / "ovasabi" / "__init__.py"))
    answer = CliRunner().invoke(command.api, ["--release"], catch_exceptions=False)
    assert answer.output == "api/released.json\n"
    record = (copy / "api" / release.NAME).read_text()
    assert release.released(copy / "api") == [descriptor_of(file) for file in SERVED.files]
    (copy / "api" / release.NAME).write_text(record.replace('"name":"GetContent"', '"name":"FetchContent"'))
    for arguments in ([], ["--check"], ["--release"]):
        with pytest.raises(command.ContractBroken, match=r"FetchContent: the procedure was removed \(RPC_NO_DEL"):
            CliRunner().invoke(command.api, arguments, catch_exceptions=False)


def test_nothing_that_was_released_is_broken() -> None:
    assert (ROOT / "api" / release.NAME).is_file()
    assert release.broken(ROOT / "api", SERVED) == []
