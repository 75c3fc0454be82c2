"""The files that are generated from what is declared and kept in git: one generator for each sort."""

import re
from collections.abc import Callable
from pathlib import Path

from ovasabi.codegen import client as client_source
from ovasabi.codegen.error_pages import error_pages
from ovasabi.codegen.openapi import fragments
from ovasabi.codegen.proto.writing import text_of
from ovasabi.codegen.state_machines import state_machine_pages
from ovasabi.codegen.statements import FOLDER, statements
from ovasabi.gateway.contract.protobuf.contract import contract_of
from ovasabi.kernel.declare.methods import Method, ordered

Files = dict[str, str]
"""Text by path, from the root of the sources."""


def protobuf(methods: list[Method]) -> Files:
    """The protobuf contract, a file for each service."""
    return {f"api/{file.path}": text_of(file) for file in contract_of(methods).files}


def openapi(methods: list[Method]) -> Files:
    """The OpenAPI description, a fragment for each service; the whole is put together at start."""
    return {f"api/{path}": text for path, text in fragments(methods).items()}


def errors(methods: list[Method]) -> Files:
    """The pages of all error codes: of any call, and of each service."""
    return {f"docs/{path}": text for path, text in error_pages().items()}


def state_machines(methods: list[Method]) -> Files:
    """The pages of the state machines, one for each service, and their index."""
    return state_machine_pages(methods)


def client(methods: list[Method]) -> Files:
    """The Python client."""
    return {str(path): text for path, text in client_source.files_of(methods).items()}


GENERATORS: tuple[Callable[[list[Method]], Files], ...] = (
    protobuf,
    openapi,
    errors,
    state_machines,
    client,
    statements,
)
"""Whoever generates more adds a function here."""
OWNED = (
    "api/ovasabi/**/*",
    "docs/errors/*",
    "docs/state-machines/*.md",
    client_source.OWNED,
    f"{FOLDER}/**/*.sql",
)
"""Where nothing is that is not generated."""
UNKEPT = re.compile(r"/services/\w+/api\.py$")
"""But for these: the synchronous halves of the client, which are made from files that are."""


def generated(methods: list[Method]) -> Files:
    """All generated files; whichever module was imported first, they are the same."""
    files: Files = {}
    for generate in GENERATORS:
        files |= generate(ordered(methods))
    return files


def drift(root: Path, files: Files) -> list[str]:
    """The paths whose file is missing, is not as it would be generated, or would not be there."""
    differing = {path for path, text in files.items() if not _is(root / path, text)}
    found = (path for pattern in OWNED for path in root.glob(pattern) if path.is_file())
    there = {path for path in map(str, (each.relative_to(root) for each in found)) if not UNKEPT.search(path)}
    return sorted(differing | (there - files.keys()))


def write(root: Path, files: Files) -> list[str]:
    """Brings the files to what is generated; answers the paths that were changed."""
    changed = drift(root, files)
    for path in changed:
        if path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
