"""The client's source is made from the declared methods, and says what they say; whatever a service may declare."""

import ast
import importlib.util
import inspect
import runpy
import subprocess
import sys
import typing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

import ovasabi
import ovasabi_client
from ovasabi.codegen.client import FOLDER, files_of
from ovasabi.codegen.client.formatting import WIDTH, exported, imports, in_order, natural
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource, Subject
from ovasabi.kernel.service import services
from ovasabi_client import UNSET, ContentState, api, api_async

ROOT = Path(ovasabi.__file__).parents[2]
UNASYNC = runpy.run_path(str(ROOT / "clients/python/unasync.py"))
sync_of = UNASYNC["sync_of"]


NAMES = [
    *(f"item{end}" for end in ("", "2", "10", "02", "010", "a", "_", "_2", "2a", "2_b", "10a", "s", "0")),
    "ite",
    "m",
]


def test_modules_and_names_are_in_the_order_of_the_linter(tmp_path: Path) -> None:
    modules = {f"own.{name}{end}" for name in NAMES for end in ("", ".types", ".api", "2.types")}
    names = [*NAMES, *(name.title() for name in NAMES), *(name.upper() for name in NAMES)]
    lines = [f"from {module} import Some" for module in sorted(modules, key=natural)]
    text = "\n".join([*lines, imports("own.zz", in_order(names)), "", exported(names)])
    (tmp_path / "own.py").write_text(text)
    rules = ("check", "--isolated", "--select", "I,RUF022", "--line-length", str(WIDTH), "--preview")
    found = subprocess.run(
        [Path(sys.executable).with_name("ruff"), *rules, "own.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


class Parcel(msgspec.Struct, kw_only=True):
    """Something sent."""

    weight: Decimal
    from_: str = msgspec.field(name="from")
    opened: datetime | None = None


class Sending(msgspec.Struct, kw_only=True):
    """What to send."""

    to: Annotated[str, Meta(description="Whom to.")]
    contents: Annotated[list[str], Meta(max_length=3)] = msgspec.field(default_factory=list)
    class_: int = msgspec.field(name="class", default=2)


class Fielded(msgspec.Struct, kw_only=True):
    """A struct whose fields are called as what makes them."""

    field: str = ""
    parts: list[int] = msgspec.field(default_factory=list, name="import")


class Told(msgspec.Struct, kw_only=True):
    """What a watch of parcels tells."""

    cursor: str
    parcel: Parcel | None = None


for parcel_class in (Parcel, Sending, Fielded, Told):
    parcel_class.__module__ = "ovasabi.services.parcel.service"

CALLS = """
from decimal import Decimal
from parcel_client import Client, Parcel
with Client("http://127.0.0.1:8000", "ovk_x") as client:
    parcels = client.campaign("python").parcels
    parcel: Parcel = parcels.send(to="Ada", contents=["a"])
    weight: Decimal | None = parcels.weigh(1)
    parcels.send()  # wrong
    parcels.send(to=1)  # wrong
    parcels.send(to=None)  # wrong
    parcels.send(to="Ada", class_="first")  # wrong
    parcels.send(to="Ada", colour="red")  # wrong
    for told in parcels.watch():
        parcel = told
        weight = told  # wrong
"""

PARCELS = Subject(
    label="parcels",
    title="Parcels",
    folder="parcel",
    singular="parcel",
    plural="parcels",
    collection="parcels",
    doc="Parcels.",
    resource=Resource.CAMPAIGN,
)


def method(name: str, operation: MethodKind, request: Any, response: Any, *, on_entity: bool = False) -> Method:
    """A method of parcels."""
    role = services[0].methods()[0].role
    return Method(PARCELS, name, operation, on_entity, request, response, role, f"Does {name}.")


def of_a_call(cls: type, name: str) -> inspect.Signature:
    """The signature of a generated function."""
    return inspect.signature(getattr(cls, name))


def test_each_method_is_there_in_both_clients() -> None:
    for service in services:
        for made in service.methods():
            for module, prefix in ((api, ""), (api_async, "Async")):
                cls = getattr(module, prefix + made.subject.title)
                assert callable(getattr(cls, made.function)), made.id
                if made.operation is MethodKind.LIST:
                    assert callable(cls.page), made.id


def test_both_clients_have_the_same_functions_and_parameters() -> None:
    both = set(vars(api)) & set(vars(api_async))
    classes = [cls for name, cls in inspect.getmembers(api, inspect.isclass) if name not in both]
    assert {"Client", "CampaignScope", "Contents", "Users"} <= {cls.__name__ for cls in classes}
    for cls in classes:
        twin = getattr(api_async, f"Async{cls.__name__}")
        assert _public(cls) == {name.replace("aclose", "close") for name in _public(twin)}
        for function, value in inspect.getmembers(cls, inspect.isfunction):
            if not function.startswith("__"):
                other = getattr(twin, function, None) or twin.aclose
                assert inspect.signature(value).parameters.keys() == inspect.signature(other).parameters.keys()


def _public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("__")}


def test_a_create_takes_what_a_draft_takes_each_by_its_type() -> None:
    hints = typing.get_type_hints(api.Contents.create)
    assert hints["title"] is str
    assert set(typing.get_args(hints["slug"])) == {str, type(None), type(UNSET)}
    assert hints["return"] is ovasabi_client.Content
    parameters = of_a_call(api.Contents, "create").parameters
    assert parameters["title"].default is inspect.Parameter.empty
    assert parameters["body"].default is UNSET
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name != "self")
    assert "state" not in parameters
    assert "price" in of_a_call(api.Variants, "create").parameters
    assert typing.get_type_hints(api.Variants.create)["price"] is Decimal


def test_an_update_takes_only_what_may_change() -> None:
    parameters = of_a_call(api.Campaigns, "update").parameters
    assert {"title", "expected_version"} <= set(parameters)
    assert "slug" not in parameters
    assert "expected_version" not in of_a_call(api.Campaigns, "restore").parameters


def test_a_secret_is_taken_and_never_given() -> None:
    assert "password" in of_a_call(api.Users, "create").parameters
    assert "password" not in ovasabi_client.User.__struct_fields__


def test_what_a_newer_server_adds_does_not_break_an_answer() -> None:
    text = b'{"id": 1, "type": "t", "campaign_id": 1, "master_id": 2, "version": null, "occurred_at": '
    text += b'"2026-11-21T08:00:00Z", "actor": "a", "correlation_id": null, "causation_id": null, "payload": {}, '
    event = msgspec.json.decode(text + b'"cursor": "1-1", "mood": {"new": 1}}', type=ovasabi_client.Event)
    assert event.occurred_at == datetime(2026, 11, 21, 8, tzinfo=UTC)
    state = msgspec.json.decode(b'"frozen"', type=ContentState)
    assert isinstance(state, ContentState)
    assert (state, state.value, str(state)) == ("frozen", "frozen", "frozen")
    assert msgspec.json.encode(state) == b'"frozen"'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"7", type=ContentState)


def test_the_client_imports_nothing_of_the_server() -> None:
    folder = ROOT / FOLDER
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.split(".")[0] == "ovasabi"], path.name


def test_a_twin_has_no_word_of_asyncio_left_and_says_what_it_is_made_from() -> None:
    twins = UNASYNC["write"]()
    assert {ROOT / FOLDER / name for name in ("api.py", "transport.py", "services/content/api.py")} <= set(twins)
    for path in twins:
        assert path.read_text().startswith(f"# Made from `{path.stem}_async.py` by `unasync.py`")
        code = ast.unparse(ast.parse(path.read_text()))
        for word in ("async ", "await ", "Async", "asyncio", "aclose", "aread", "aiter"):
            assert word not in code, (path, word)
    assert sync_of("async for one in await them():\n    yield one\n") == "yield from them()\n"
    assert sync_of("async for one in them():\n    yield two\n") == "for one in them():\n    yield two\n"


def test_a_twin_follows_its_source_and_goes_with_it(tmp_path: Path) -> None:
    source, twin, by_hand = (tmp_path / name for name in ("api_async.py", "api.py", "answers.py"))
    by_hand.write_text('"""Answers."""\n')
    for text in ("async def ask() -> int:\n    return 1\n", "async def ask() -> int:\n    return 2\n"):
        source.write_text(text)
        assert UNASYNC["write"](tmp_path) == [twin]
        assert twin.read_text().endswith(sync_of(text))
    source.unlink()
    assert UNASYNC["write"](tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["answers.py"]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A client for parcels, which do all that a service may do, beside what all clients have."""
    methods = [
        method("send", MethodKind.VERB, Sending, Parcel),
        method("weigh", MethodKind.READ, None, Decimal | None, on_entity=True),
        method("drop", MethodKind.VERB, None, None, on_entity=True),
        method("import", MethodKind.VERB, None, Fielded),
        method("watch", MethodKind.WATCH, None, Told),
    ]
    folder = tmp_path / "parcel_client"
    folder.mkdir()
    for path in (ROOT / FOLDER).glob("*.py"):
        (folder / path.name).write_text(path.read_text().replace("ovasabi_client", "parcel_client"))
    for path, text in files_of(methods).items():
        place = folder / path.relative_to(FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("ovasabi_client", "parcel_client"))
    UNASYNC["write"](folder)
    (folder / "py.typed").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.find_spec("parcel_client")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["parcel_client"] = module
    spec.loader.exec_module(module)
    module.__dict__["folder"] = folder
    return module


def test_whatever_a_service_declares_becomes_sound_source_and_a_wrong_call_is_an_error_of_types(
    made: ModuleType,
) -> None:
    (made.folder.parent / "calls.py").write_text(CALLS)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(made.folder), "calls.py"]
    checked = subprocess.run(command, cwd=made.folder.parent, capture_output=True, text=True, timeout=240, check=False)
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    wrong = [number for number, line in enumerate(CALLS.splitlines(), 1) if line.endswith("# wrong")]
    assert [int(line.split(":")[1]) for line in errors] == wrong, checked.stdout
    assert all(line.startswith("calls.py:") for line in errors)


def test_names_and_answers_of_any_kind_are_written_as_python_has_them(made: ModuleType) -> None:
    parcels = sys.modules["parcel_client.api"].Parcels
    send = of_a_call(parcels, "send").parameters
    assert send["class_"].default is UNSET
    assert send["to"].default is inspect.Parameter.empty
    assert typing.get_type_hints(parcels.import_)["return"] is made.Fielded
    assert msgspec.json.decode(b'{"import": [1]}', type=made.Fielded).parts == [1]
    assert made.Fielded().parts == []
    assert msgspec.json.decode(b'{"weight": "2.5", "from": "a"}', type=made.Parcel).from_ == "a"
    hints = typing.get_type_hints(parcels.watch)
    assert typing.get_args(hints["return"]) == (made.Parcel,)
    assert typing.get_type_hints(parcels.drop)["return"] is type(None)
    assert set(typing.get_args(typing.get_type_hints(parcels.weigh)["return"])) == {Decimal, type(None)}


def test_a_field_with_the_name_of_another_parameter_gets_an_underscore_as_keywords_do() -> None:
    class Named(msgspec.Struct):
        expected_version: int
        reference: str = ""

    files = files_of([method("send", MethodKind.VERB, Named, None, on_entity=True)])
    text = files[FOLDER / "services/parcel/api_async.py"]
    assert "        expected_version_: int,\n        reference_: str | UnsetType = UNSET,\n" in text
    assert '{"expected_version": expected_version_, "reference": reference_}' in text


def test_two_types_of_one_name_are_refused_since_the_client_has_one_name_for_both() -> None:
    other = msgspec.defstruct("Parcel", [("size", int)], module="ovasabi.services.post.service")
    methods = [method("send", MethodKind.VERB, None, Parcel), method("post", MethodKind.VERB, None, other)]
    with pytest.raises(TypeError, match=r"ovasabi\.services\.post\.service and .* both have a Parcel"):
        files_of(methods)
