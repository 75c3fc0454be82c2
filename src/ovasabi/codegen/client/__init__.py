"""The source of the Python client in `clients/python`, made from the methods that services declare."""

from pathlib import Path

import ovasabi
from ovasabi import __version__
from ovasabi.codegen.client.classes import api_file
from ovasabi.codegen.client.errors import error_names, errors_file
from ovasabi.codegen.client.formatting import GENERATED, imports
from ovasabi.codegen.client.structs import type_names, types_file
from ovasabi.codegen.client.unasync import sync_of
from ovasabi.discovery import discover
from ovasabi.kernel.declare.methods import Method, ordered
from ovasabi.kernel.service import services

FOLDER = Path("clients/python/src/ovasabi_client")
ROOT = Path(ovasabi.__file__).parents[2]
TEMPLATE = "transport_async.py"
"""The one file with asyncio that is written by hand; its twin is made from it."""
_DOC = '"""The typed Python client of OVASABI, synchronous and asynchronous."""'
_VERSION_DOC = '"""The version of the API that this client was made for."""'
_EXPORTS = {
    "ovasabi_client.answers": ["Page"],
    "ovasabi_client.failures": ["AnswerUnreadable", "ApiError", "ConnectionFailed", "OvasabiError"],
    "ovasabi_client.requests": ["Reference"],
}


def client_files() -> dict[Path, str]:
    """Every generated file of the client: its path in the checkout, and its text."""
    discover()
    return files_of(ordered([method for service in services for method in service.methods()]))


def files_of(methods: list[Method]) -> dict[Path, str]:
    """The files for these methods."""
    kinds = type_names(methods)
    api = api_file(methods, kinds)
    transport = (ROOT / FOLDER / TEMPLATE).read_text()
    files = {
        "__init__.py": _package(kinds),
        "version.py": f'{GENERATED}{_VERSION_DOC}\n\nVERSION = "{__version__}"\n',
        "types.py": types_file(methods),
        "errors.py": errors_file(),
        "api_async.py": api,
        "api.py": sync_of(api),
        "transport.py": f"{GENERATED}{sync_of(transport)}",
    }
    return {FOLDER / name: text for name, text in files.items()}


def _package(kinds: list[str]) -> str:
    exported = {
        **_EXPORTS,
        "ovasabi_client.api": ["CampaignScope", "Client"],
        "ovasabi_client.api_async": ["AsyncCampaignScope", "AsyncClient"],
        "ovasabi_client.errors": error_names(),
        "ovasabi_client.types": kinds,
    }
    lines = [imports(module, names) for module, names in sorted(exported.items())]
    names = sorted(name for group in exported.values() for name in group)
    if len(set(names)) != len(names):
        raise TypeError(f"Names are taken twice: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
    listed = "\n".join(f'    "{name}",' for name in ["UNSET", *names, "__version__"])
    version = "from ovasabi_client.version import VERSION as __version__"
    head = [f"{GENERATED}{_DOC}\n", "from msgspec import UNSET\n"]
    return "\n".join([*head, *lines, version, f"\n__all__ = [\n{listed}\n]\n"])
