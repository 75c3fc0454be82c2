"""Whatever the defaults, enum values, literals and nested types of a service are, the client that is made is sound."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

import ovasabi
from ovasabi.codegen.client import FOLDER, files_of
from ovasabi.kernel.declare.methods import MethodKind
from tests.unit.codegen.test_client_source import UNASYNC, method

ROOT = Path(ovasabi.__file__).parents[2]
HOME = "ovasabi.services.parcel.service"
RUFF = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), "--exclude", "api.py,transport.py"]
TEXTS = [
    "", "plain", "it's \"so\" \\ {x} $1", '"', "'", '""', "''", "'\"", "\"'\"", "\\", "\\\\", "\\'", '\\"', "a\\", "\n",
    "\t", "\r\n", "\x1b\x7f\x85\u200b\u2028\ufeff", "ü–💡", "#", "# noqa", '"""', "'''", "%s {} {0}", "\\x41\\N{DASH}",
    "é" * 90,
    *("x" * length for length in range(55, 125)), "\"'" * 100, "many words " * 30,
]  # fmt: skip
"""Quotes and escapes of all kinds, and texts that just fit into a line or no longer do."""
NUMBERS = [0.0, -0.0, 1.5e300, 1e16, 1e-7, -2.5e-300, 1.0, 0.1, 12345678901234567890.0, 5e-324]
WHOLE = [0, -1, 10**30, -(10**18)]
DECIMALS = [Decimal(text) for text in ("1E-20", "-1.50", "0E-8", "1E+100", "0." + "1" * 110)]
OTHERS: list[tuple[Any, Any]] = [
    (date, date(2028, 2, 29)),
    (datetime, datetime(2028, 2, 29, 1, 2, 3, 4, tzinfo=UTC)),
    (UUID, UUID("019a0000-0000-7000-8000-000000000001")),
    (bytes, b"\x00\"'\\\xff"),
    (bool, True),
    (int | None, None),
]


class Kind(StrEnum):
    """A kind said to be "odd"."""

    __module__ = HOME

    DOUBLE = 'q"q'
    SINGLE = "q'q"
    BACKSLASH = "\\"
    BOTH = "'\""
    MORE = '""\''


class Node(msgspec.Struct, frozen=True):
    """ "Quoted" at its beginning and its "end"."""

    __module__ = HOME

    name: Annotated[str, Meta(description='Ends with a "quote"')] = '"'
    children: list["Node"] = []
    parent: Optional["Node"] = None
    odd: Literal["'", '"', "Node"] | None = None
    other: Optional["Other"] = None
    by_name: dict[str, "Node"] = msgspec.field(default_factory=dict, name="class")


class Other(msgspec.Struct, frozen=True):
    """What a node refers to, and refers to nodes."""

    __module__ = HOME

    nodes: list[Node]
    third: "Third | None" = None
    words: list[str] = msgspec.field(default_factory=lambda: ["it's", '"'])


class Third(msgspec.Struct, frozen=True):
    """The last one of a circle of three."""

    __module__ = HOME

    node: Node = Node(name="'")
    kind: Kind = Kind.MORE
    first: Node | None = None


FIELDS: list[tuple[str, Any, Any]] = [
    *((f"text_{number}", str, text) for number, text in enumerate(TEXTS)),
    *((f"float_{number}", float, value) for number, value in enumerate(NUMBERS)),
    *((f"int_{number}", int, value) for number, value in enumerate(WHOLE)),
    *((f"decimal_{number}", Decimal, value) for number, value in enumerate(DECIMALS)),
    *((f"other_{number}", hint, value) for number, (hint, value) in enumerate(OTHERS)),
    *((f"kind_{kind.name.lower()}", Kind, kind) for kind in Kind),
    *(
        (f"renamed_{number}", str, msgspec.field(default=text, name=f"from-{number}"))
        for number, text in enumerate(TEXTS)
    ),
]
Defaults = msgspec.defstruct("Defaults", FIELDS, module=HOME, kw_only=True, namespace={"__doc__": "Defaults."})


class Asked(msgspec.Struct):
    """A request with them."""

    __module__ = HOME

    defaults: Defaults  # type: ignore[valid-type]
    node: Node
    text: str = 'it\'s "so"'
    exact: Decimal = Decimal("1E-20")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client of a service with all of them, in both halves."""
    folder = tmp_path_factory.mktemp("client") / "ovasabi_client"
    folder.mkdir()
    for path in (ROOT / FOLDER).glob("*.py"):
        (folder / path.name).write_text(path.read_text())
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, HOME, sys.modules[__name__])  # where what is in quotes is looked up
    methods = [method("send", MethodKind.VERB, Asked, Other), method("weigh", MethodKind.VERB, None, Defaults)]
    for path, text in files_of(methods).items():
        place = folder / path.relative_to(FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    monkeypatch.undo()
    UNASYNC["write"](folder)
    (folder / "py.typed").touch()
    return folder


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", *RUFF], ["ruff", "format", "--diff", *RUFF], ["mypy", "--strict", "--no-incremental"]],
    ids=["lint", "format", "types"],
)
def test_it_passes_what_every_file_must_pass(client: Path, command: list[str]) -> None:
    run = [sys.executable, "-m", *command, str(client)]
    checked = subprocess.run(run, cwd=client.parent, capture_output=True, text=True, timeout=240, check=False)
    assert checked.returncode == 0, checked.stdout[-6000:] + checked.stderr[-3000:]


def test_its_values_are_those_that_were_declared(client: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import sys
import msgspec
from ovasabi_client.services.parcel import api, api_async
from ovasabi_client.services.parcel.types import Defaults, Kind, Node, Other, Third
node = msgspec.json.decode(sys.stdin.buffer.read(), type=Node)
assert type(node.children[0].other.nodes[0]) is Node and type(node.other.third.node) is Node
sys.stdout.buffer.write(msgspec.json.encode([Defaults(), Other(nodes=[]), Third(), Node(), list(Kind)]))
"""
    monkeypatch.setitem(sys.modules, HOME, sys.modules[__name__])
    node = Node(children=[Node(other=Other([Node()]))], other=Other([], third=Third()))
    given = msgspec.json.encode(node)
    run = subprocess.run([sys.executable, "-c", code], cwd=client.parent, input=given, capture_output=True, timeout=120)
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    made = json.loads(run.stdout)
    declared: list[Any] = [Defaults(), Other([]), Third(), Node(), list(Kind)]
    for one, other in zip(made, json.loads(msgspec.json.encode(declared)), strict=True):
        assert _decimals(one) == _decimals(other)


def _decimals(value: Any) -> Any:
    """Values with decimals as what they are, not as they are written."""
    if not isinstance(value, dict):
        return value
    return {name: Decimal(part) if name.startswith("decimal") else part for name, part in value.items()}
