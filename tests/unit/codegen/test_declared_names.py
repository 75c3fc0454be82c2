"""Whatever a type, a field or a method is named: the contracts and the client are sound, or the name is refused.

The names that are tried are those that occur in the generated files themselves, and the words of the languages.
"""

import ast
import builtins
import keyword
import re
import subprocess
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import grpc_tools
import msgspec
import pytest
from grpc_tools import protoc
from msgspec import UNSET, UnsetType

import ovasabi
from ovasabi.codegen.client import FOLDER, files_of
from ovasabi.codegen.client.names import OURS
from ovasabi.codegen.openapi import fragments, path_of
from ovasabi.codegen.proto.writing import text_of
from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.kernel.declare.entity import Entity, declared, entity
from ovasabi.kernel.declare.methods import Method, verb
from ovasabi.kernel.declare.names import QUOTED
from ovasabi.kernel.service import EntityService, check_consistency, declared_methods, services
from ovasabi.kernel.service.consistency import OF_THE_CALL, type_names
from tests.unit.codegen.test_client_source import UNASYNC

discover()
ROOT = Path(ovasabi.__file__).parents[2]
IN_PROTO = re.compile(r"\b(?:message|enum|service|rpc) (\w+)|(\w+) = \d+;")
OWN = {"Client": "api", "Page": "answers", "NotFound": "errors"}
KINDS: list[Any] = [
    str, datetime | None, date | None, Decimal, uuid.UUID | None, list[str], dict[str, Any], int | None, bool, float,
]  # fmt: skip
SENT: list[Any] = [str, datetime, date, Decimal, uuid.UUID, int, bool, float, Literal["a", "b"]]
POSSIBLE = {
    "Page", "Problem", "Choice", "Literal", "Iterator", "Mapping", "Any", "Service", "Client", "NotFound", "Response",
    "Request", "Sequence", "Decimal", "UUID", "StrEnum", "Struct", "Transport",
}  # fmt: skip
"""Some of the names that are in use, and nevertheless free."""
HOME = "ovasabi.services.t{number}"


def names_in(path: Path) -> Iterator[str]:
    """The names in the code of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        for attribute in ("id", "arg", "attr", "name", "asname", "module"):
            if isinstance(name := getattr(node, attribute, None), str):
                yield from name.split(".")


FIELDS = 480
"""The most fields of the entity that has all names."""
WORDS = {
    *keyword.kwlist,
    *keyword.softkwlist,
    *dir(builtins),
    *QUOTED,
    *OURS,
    "string",
    "message",
    "option",
    "reserved",
    "self",
}
"""The words of the languages that the names are in."""


def candidates() -> list[str]:
    """All names in the client and in the contracts, and the words of the languages that they are in."""
    found = {name for path in (ROOT / FOLDER).rglob("*.py") for name in names_in(path)}
    for path in (ROOT / "api").rglob("*.proto"):
        found |= {name for pair in IN_PROTO.findall(path.read_text()) for name in pair}
    found |= msgspec.json.decode(document(declared_methods()))["components"]["schemas"].keys()
    found |= WORDS
    return sorted(found - {""})


class Trial(NamedTuple):
    """What was tried: the methods of all services, and the names that were accepted."""

    methods: list[Method]
    entities: dict[str, int]
    """The numbers of the services of entities."""
    structs: list[str]
    """The names of other classes, which are all in one module."""
    fields: dict[str, Any]
    verbs: list[str]
    taken: set[str]
    """The names that services of this project have already."""


def thing(cls: str, number: int, fields: dict[str, Any], members: dict[str, Any] | None = None) -> None:
    """Declares an entity of that class, and its service, in a folder of their own."""
    home = HOME.format(number=number)
    body = [("text", str), *((name, kind, _default(kind)) for name, kind in fields.items())]
    struct = msgspec.defstruct(cls, body, bases=(Entity,), module=f"{home}.entity", kw_only=True)
    of = entity(plural=f"t{number}_all", name=f"t{number}", title="text")(struct)
    for member in (members or {}).values():
        member.__annotations__["it"] = of
    own = {"__module__": f"{home}.service", "__doc__": "Things.", **(members or {})}
    types.new_class(f"T{number}Rules", (EntityService[of],), exec_body=lambda body: body.update(own))


def _default(kind: Any) -> Any:
    factories: Any = {list[str]: list, dict[str, Any]: dict}
    if kind in factories:
        return msgspec.field(default_factory=factories[kind])
    return {str: "", Decimal: Decimal(0), bool: False, float: 0.0}.get(kind)


def action(name: str, request: Any = None, response: Any = None) -> Any:
    """A verb of one entity."""

    async def bare(self: Any, it: Any) -> None:
        """Does it."""

    async def asking(self: Any, it: Any, request: Any) -> None:
        """Does it as requested."""

    function = bare if request is None else asking
    function.__name__ = name
    function.__annotations__ |= {"return": response or type(None)} | ({} if request is None else {"request": request})
    return verb()(function)


def accepts(declare: Callable[[], None]) -> bool:
    """Whether a declaration is accepted; it is taken back."""
    before, own = dict(declared), len(services)
    try:
        declare()
    except DeclarationError:
        return False
    finally:
        declared.clear()
        declared.update(before)
        del services[own:]
    return True


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    """Declares services with all of these names, as far as they are accepted; nothing of them is left behind."""
    before, own, used = dict(declared), list(services), type_names(services, declared_methods())
    names = candidates()
    kinds = {f"f{index}": kind for index, kind in enumerate(KINDS)}
    lower = [name for name in names if name[0].islower()]
    upper = [name for name in names if name[0].isupper() and name not in {*used, "ProblemDetails"}]
    classes = [name for name in upper if accepts(lambda n=name: thing(n, 0, kinds))]
    entities = {name: number for number, name in enumerate(classes) if name in POSSIBLE}
    structs = [name for name in classes if name not in POSSIBLE]
    possible = [name for name in lower if name != "text" and accepts(lambda n=name: thing("Tried", 0, {n: str}))]
    # The names in the contracts grow with the services, and an entity has at most so many fields.
    fields = sorted(possible, key=lambda name: name not in WORDS)[:FIELDS]
    verbs = [name for name in lower if accepts(lambda n=name: thing("Tried", 0, {}, {n: action(n)}))]
    for name, number in entities.items():
        thing(name, number, kinds)
    sent = [name for name in fields if name not in OF_THE_CALL]
    typed = [(name, SENT[index % len(SENT)] | UnsetType, UNSET) for index, name in enumerate(sent)]
    request = msgspec.defstruct("Everything", typed, module=f"{HOME.format(number=9001)}.service")
    values = {name: KINDS[index % len(KINDS)] for index, name in enumerate(fields)}
    thing("Fielded", 9001, values, {"everything": action("everything", request)})
    thing("Acting", 9002, {}, {name: action(name) for name in verbs})
    module = f"{HOME.format(number=9003)}.service"
    bodies = [msgspec.defstruct(name, [*kinds.items()], module=module) for name in structs]
    asked = {f"act_{index}": action(f"act_{index}", body, body) for index, body in enumerate(bodies)}
    thing("Asked", 9003, {}, asked)
    yield Trial(declared_methods(), entities, structs, values, verbs, {*used})
    declared.clear()
    declared.update(before)
    services[:] = own


def test_most_names_are_free(trial: Trial) -> None:
    check_consistency(services, list(declared.values()))
    assert trial.entities.keys() == POSSIBLE - trial.taken
    assert len(trial.structs) > 200
    assert {"datetime", "date", "part", "type", "list", "reference", "order", "self", "id_"} - {"id_"} <= {
        *trial.fields
    }
    assert {"datetime", "part", "type", "cast", "match", "order"} <= {*trial.verbs}
    assert not {"id", "class", "deleted_at"} & trial.fields.keys()
    assert not {"check", "get", "page", "class", "repository"} & {*trial.verbs}


def test_the_contract_has_them_all_and_its_text_can_be_compiled(trial: Trial, tmp_path: Path) -> None:
    contract = Contract(trial.methods, {})
    for name, number in [*trial.entities.items(), *((name, 9003) for name in trial.structs)]:
        assert contract.pool.FindMessageTypeByName(f"ovasabi.t{number}.v1.{name}")
    for file in contract.files:
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(text_of(file))
    standard = Path(grpc_tools.__file__).parent / "_proto"
    options = [f"-I{tmp_path}", f"-I{standard}", f"--descriptor_set_out={tmp_path / 'all'}"]
    assert protoc.main(["protoc", *options, *(file.path for file in contract.files)]) == 0


def test_the_document_describes_them_all(trial: Trial) -> None:
    schemas = msgspec.json.decode(document(trial.methods))["components"]["schemas"]
    own = {f"f{index}" for index in range(len(KINDS))}
    for name in (*trial.entities, *trial.structs):
        common = {"text", *Entity.__struct_fields__} if name in trial.entities else set()
        assert set(schemas[name]["properties"]) == own | common, name
    assert schemas["Fielded"]["properties"].keys() >= trial.fields.keys()


def test_each_schema_is_in_the_part_of_its_own_service(trial: Trial) -> None:
    written = fragments(trial.methods).items()
    parts = {path: msgspec.json.decode(text)["components"]["schemas"] for path, text in written}
    for name, number in [*trial.entities.items(), *((name, 9003) for name in trial.structs)]:
        assert [path for path, schemas in parts.items() if name in schemas] == [path_of(f"t{number}")], name


@pytest.fixture(scope="module")
def client(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with all of these names, in a folder of its own."""
    folder = tmp_path_factory.mktemp("client") / "ovasabi_client"
    folder.mkdir()
    for path in (ROOT / FOLDER).glob("*.py"):
        (folder / path.name).write_text(path.read_text())
    for path, text in files_of(trial.methods).items():
        place = folder / path.relative_to(FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    UNASYNC["write"](folder)
    (folder / "py.typed").touch()
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), "--exclude", "api.py,transport.py"],
        [
            "ruff",
            "format",
            "--check",
            "--no-cache",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--exclude",
            "api.py,transport.py",
        ],
        ["mypy", "--strict", "--no-incremental"],
    ],
    ids=["lint", "format", "types"],
)
def test_the_client_is_sound(client: Path, command: list[str]) -> None:
    run = [sys.executable, "-m", *command, str(client)]
    checked = subprocess.run(run, cwd=client.parent, capture_output=True, text=True, timeout=240, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:] + checked.stderr[-3000:]


def test_its_types_say_what_the_declarations_say(client: Path, trial: Trial) -> None:
    """In both halves; and the package keeps the names that are its own."""
    code = """
import importlib, json, sys, typing
import ovasabi_client
shown, classes = {}, json.load(sys.stdin)
for name, number in classes.items():
    cls = getattr(importlib.import_module(f"ovasabi_client.services.t{number}.types"), name)
    shown[name] = {field: str(hint) for field, hint in typing.get_type_hints(cls).items()}
    for half in ("api", "api_async"):
        importlib.import_module(f"ovasabi_client.services.t{number}.{half}")
own = {name: getattr(ovasabi_client, name).__module__ for name in ("Client", "Page", "NotFound")}
print(json.dumps([shown, own]))
"""
    classes = {**trial.entities, **dict.fromkeys(trial.structs, 9003)}
    given = msgspec.json.encode({**classes, "Fielded": 9001})
    run = subprocess.run([sys.executable, "-c", code], cwd=client.parent, input=given, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    shown, own = msgspec.json.decode(run.stdout)
    for name in classes:
        assert [shown[name][f"f{index}"] for index in range(len(KINDS))] == [str(kind) for kind in KINDS], name
    assert {name: shown["Fielded"][name] for name in trial.fields} == {n: str(kind) for n, kind in trial.fields.items()}
    assert own == {
        "Client": "ovasabi_client.api",
        "Page": "ovasabi_client.responses",
        "NotFound": "ovasabi_client.errors",
    }
