"""Running schemathesis against the running program: what it is told of the world, and what it answered."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.fields import Field, Output, Reference
from tests.fuzz.world import METHODS, World
from tests.representatives import representatives
from tests.samples import PASSWORD

WATCH = ":watch$"
SHOWN = ("contents", "users")
"""Whose methods stand for those that are the same for every type."""
_OTHERS = "|".join(sorted({of.plural for of in declared.values()} - set(SHOWN)))
ALIKE = rf"/({_OTHERS})(/\{{id\}})?:(import|export|search|restore)$"
_STOOD_FOR = "|".join(
    sorted(of.plural for of in declared.values() if of.name not in representatives(declared.values()))
)
STOOD_FOR = rf"/({_STOOD_FOR})(/\{{id\}})?(:(import|export|search|restore|allowed_moves))?$"
"""What every type has, of the types that others stand for: their own verbs are not among it."""
NO_COVERAGE = "phases = { coverage = { enabled = false } }"
ITSELF = r"^/v1/campaigns/\{campaign\}(:(?!search).*)?$"


class Run(msgspec.Struct):
    """One run: how it ended, what was printed, and the number of answers by operation and status."""

    code: int
    output: str
    tally: Counter[str]

    def operations(self) -> set[str]:
        """The operations that the document has."""
        return {name.split()[0] for name in self.tally}

    def answered(self, *statuses: str) -> set[str]:
        """The operations that answered with a status that begins so, at least once."""
        return {name.split()[0] for name, count in self.tally.items() if count and name.split()[1].startswith(statuses)}


def fuzz(
    world: World,
    folder: Path,
    key: str,
    arguments: Sequence[str],
    *,
    confined: bool = False,
    left_out: str = "",
    show: bool = False,
) -> Run:
    """Runs it with a key; `confined` says that the key is of the open campaign, and aims at the closed one as well.

    `left_out` is a pattern of paths that are not called.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, tally = folder / "schemathesis.toml", folder / "tally.json"
    config.write_text(_config(world, confined))
    command = [str(Path(sys.executable).parent / "st"), "--config-file", str(config), "run"]
    command += [f"{world.program.address}/openapi.json", "--no-color", *arguments]
    environment = os.environ | {"FUZZ_KEY": key, "FUZZ_TALLY": str(tally), "PYTHONPATH": os.pathsep.join(sys.path)}
    if left_out:
        command += ["--exclude-path-regex", left_out]
    environment["FUZZ_LEFT_OUT"] = left_out
    environment["FUZZ_CLOSED"] = world.closed
    environment["FUZZ_CONFINED_TO"] = f"{world.open} {world.open_number}" if confined else ""
    ran = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        text=True,
        stdout=None if show else subprocess.PIPE,
        stderr=None if show else subprocess.STDOUT,
    )
    assert tally.exists(), ran.stdout
    return Run(ran.returncode, ran.stdout or "", Counter(json.loads(tally.read_text())))


def _config(world: World, confined: bool) -> str:
    """The configuration; strings, lists and numbers are written alike in TOML and JSON."""
    campaigns = [world.open, world.closed, str(world.closed_number)] if confined else [world.open]
    ids = {name: [*found, *(world.closed_ids if confined else [])] for name, found in world.ids.items()}
    dictionaries: dict[str, list[Any]] = {
        **ids,
        **{f"{name}_deleted": [str(id) for id in found] for name, found in world.deleted.items()},
        **{f"{name}_in_paths": [str(id) for id in found] for name, found in ids.items()},
        "campaigns": campaigns,
        "spare": campaigns[1:] if confined else world.spare,
        "any_in_paths": [str(id) for found in ids.values() for id in found],
        "beats": [0.1],
        "moments": ["2998-01-01T00:00:00Z", "2999-01-01T00:00:00+02:00"],
        "passwords": [PASSWORD],
        "words": ["words", '"open one"', "wrods", "-nothing words", "per*"],
        "filters": ["id > 1", 'created_at >= "2026-01-01T00:00:00Z" AND NOT id = 7', "updated_at != null"],
        "orders": ["created_at", "created_at desc"],
        "matches": ["*", "*", '"1"'],
        "entity_types": ["content", "content,product"],
        "event_types": ["content:create:v1:success"],
        "cursors": [""],
    }
    return "\n".join(
        [
            "continue-on-failure = true",
            "request-timeout = 30",
            "warnings = false",
            'hooks = "tests.fuzz.checks"',
            # The keys are those of a server that is thrown away; a curl line without its values repeats nothing.
            "[output.sanitization]\nenabled = false",
            '[auth.openapi.key]\nbearer = "${FUZZ_KEY}"',
            '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "4xx", 504]',
            # What may refuse good data: a rule (see the check of ours), a version, a state, and what is not there.
            '[checks.positive_data_acceptance]\nexpected-statuses = ["2xx", 400, 403, 404, 409, 412, 429, 504]',
            "[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 405, 409, 412, 504]",
            # The document's own links are walked; thousands that could be guessed are not.
            "[phases.stateful]\nmax-steps = 10\ngeneration = { max-examples = 150 }\ninference = { algorithms = [] }",
            '[phases.coverage]\nunexpected-methods = ["put", "trace", "options"]',
            "[dictionaries]",
            *(f"{name} = {{ values = {json.dumps(values)} }}" for name, values in dictionaries.items()),
            "[parameters]",
            *_bound(
                ("path.campaign", "campaigns", 0.9),
                ("query.heartbeat_seconds", "beats", 1.0),
                ("query.q", "words", 0.6),
                ("query.filter", "filters", 0.5),
                ("query.order_by", "orders", 0.7),
                ("query.after", "cursors", 0.7),
                ("query.page_token", "cursors", 0.7),
                ("query.types", "entity_types", 0.7),
                ("query.type", "entity_types", 0.5),
                ("header.If-Match", "matches", 0.85),
                *((f"body.{name}", dictionary, 0.8) for name, dictionary in sorted(_fields().items())),
            ),
            _operations(ITSELF, ("path.campaign", "spare", 0.9)),
            _operations("/events", ("path.campaign", "campaigns", 0.9), ("query.types", "event_types", 0.7)),
            *(_operations(rf"/{name}/\{{id\}}:restore$", ("path.id", f"{name}_deleted", 0.9)) for name in ids),
            *(
                _operations(rf"/{name}/\{{id\}}(:(?!restore).*)?$", ("path.id", f"{name}_in_paths", 0.85))
                for name in ids
            ),
            _operations(r"/master/\{id\}", ("path.id", "any_in_paths", 0.7)),
            # A watch has no end: it is read for a moment, and not asked as often as others.
            f"[[operations]]\ninclude-path-regex = {json.dumps(WATCH)}\nrequest-timeout = 0.5\nmax-stream-events = 1",
            "generation = { max-examples = 5 }",
            NO_COVERAGE,
            # Import and export are the same for every type, as are its requests: two of each are gone through.
            f"[[operations]]\ninclude-path-regex = {json.dumps(ALIKE)}\n{NO_COVERAGE}",
        ]
    )


def _fields() -> dict[str, str]:
    """The fields of requests that hardly any random value is right for, and where their values are."""
    found: dict[str, set[str | None]] = {}
    for of in declared.values():
        for field in of.stored:
            if not field.has(Output):
                found.setdefault(field.name, set()).add(_dictionary(field))
    for method in METHODS:
        names = () if method.request is None else method.request.__struct_fields__
        found |= {name: {"passwords"} for name in names if "password" in name}
    # A name that means different things in different types is left to chance.
    return {name: kinds.pop() or "" for name, kinds in found.items() if len(kinds) == 1 and kinds != {None}}


def _dictionary(field: Field) -> str | None:
    reference = field.get(Reference)
    if reference is not None:
        return declared[reference.type].plural
    return "moments" if field.base is datetime else None


def _operations(path: str, *bound: tuple[str, str, float]) -> str:
    begins = ["[[operations]]", f"include-path-regex = {json.dumps(path)}", "[operations.parameters]"]
    return "\n".join([*begins, *_bound(*bound)])


def _bound(*bound: tuple[str, str, float]) -> list[str]:
    return [
        f'"{name}" = {{ dictionary = "{dictionary}", probability = {chance} }}' for name, dictionary, chance in bound
    ]
