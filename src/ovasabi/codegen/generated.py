"""The files that are generated from what is declared and kept in git: one generator for each sort."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from ovasabi.codegen.client import files_of
from ovasabi.codegen.error_page import errors_page
from ovasabi.codegen.proto.writing import text_of
from ovasabi.codegen.state_machines import state_machine_pages
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf.contract import contract_of
from ovasabi.kernel.declare.methods import Method, ordered

Files = dict[str, str]
"""Text by path, from the root of the sources."""


def protobuf(methods: list[Method]) -> Files:
    """The protobuf contract, a file for each service."""
    return {f"api/{file.path}": text_of(file) for file in contract_of(methods).files}


def openapi(methods: list[Method]) -> Files:
    """The OpenAPI document, indented."""
    return {"api/openapi.json": msgspec.json.format(document(methods), indent=2).decode() + "\n"}


def errors(methods: list[Method]) -> Files:
    """The page of all error codes."""
    return {"docs/errors.md": errors_page()}


def state_machines(methods: list[Method]) -> Files:
    """The pages of the state machines, one for each service, and their index."""
    return state_machine_pages(methods)


def client(methods: list[Method]) -> Files:
    """The Python client."""
    return {str(path): text for path, text in files_of(methods).items()}


GENERATORS: tuple[Callable[[list[Method]], Files], ...] = (protobuf, openapi, errors, state_machines, client)
"""Whoever generates more adds a function here."""
OWNED = ("api/ovasabi/**/*.proto", "docs/state-machines/*.md")
"""Where nothing is that is not generated."""


def generated(methods: list[Method]) -> Files:
    """All generated files; whichever module was imported first, they are the same."""
    files: Files = {}
    for generate in GENERATORS:
        files |= generate(ordered(methods))
    return files


def drift(root: Path, files: Files) -> list[str]:
    """The paths whose file is missing, is not as it would be generated, or would not be there."""
    differing = {path for path, text in files.items() if not _is(root / path, text)}
    there = {str(path.relative_to(root)) for pattern in OWNED for path in root.glob(pattern)}
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
