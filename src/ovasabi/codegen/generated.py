"""The files that are generated from the declarations and stored in git, with one generator for each sort."""

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
"""File contents by path, relative to the root of the sources."""


def protobuf(methods: list[Method]) -> Files:
    """Returns the protobuf contract, a file for each service."""
    return {f"api/{file.path}": text_of(file) for file in contract_of(methods).files}


def openapi(methods: list[Method]) -> Files:
    """Returns the OpenAPI document, a fragment for each service; they are combined at startup."""
    return {f"api/{path}": text for path, text in fragments(methods).items()}


def errors(methods: list[Method]) -> Files:
    """Returns the pages of all error codes: of any call, and of each service."""
    return {f"docs/{path}": text for path, text in error_pages().items()}


def state_machines(methods: list[Method]) -> Files:
    """Returns the pages of the state machines, one for each service, and their index."""
    return state_machine_pages(methods)


def client(methods: list[Method]) -> Files:
    """Returns the Python client."""
    return {str(path): text for path, text in client_source.files_of(methods).items()}


GENERATORS: tuple[Callable[[list[Method]], Files], ...] = (
    protobuf,
    openapi,
    errors,
    state_machines,
    client,
    statements,
)
"""All generators; add new ones here."""
OWNED = (
    "api/ovasabi/**/*",
    "docs/errors/*",
    "docs/state-machines/*.md",
    client_source.OWNED,
    f"{FOLDER}/**/*.sql",
)
"""The paths that contain only generated files."""
UNTRACKED = re.compile(r"/services/\w+/api\.py$")
"""Exceptions to `OWNED`: the synchronous half of the client, which is built from the generated files."""


def generated(methods: list[Method]) -> Files:
    """Returns all generated files, regardless of the order in which modules were imported."""
    files: Files = {}
    for generate in GENERATORS:
        files |= generate(ordered(methods))
    return files


def drift(root: Path, files: Files) -> list[str]:
    """Returns the paths of files that are missing, outdated or no longer generated."""
    differing = {path for path, text in files.items() if not _is(root / path, text)}
    found = (path for pattern in OWNED for path in root.glob(pattern) if path.is_file())
    existing = {path for path in map(str, (each.relative_to(root) for each in found)) if not UNTRACKED.search(path)}
    return sorted(differing | (existing - files.keys()))


def write(root: Path, files: Files) -> list[str]:
    """Writes the generated files, and removes those no longer generated; returns the changed paths."""
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
