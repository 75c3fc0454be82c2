"""Generates the source of the Python client in `clients/python` from the declared methods, a folder per service."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ovasabi import __version__
from ovasabi.codegen.client.classes import api_file, index_file
from ovasabi.codegen.client.errors import errors_file, errors_names, service_errors_file, service_errors_names
from ovasabi.codegen.client.formatting import GENERATED, WIDTH, Group, laid_out, member, natural
from ovasabi.codegen.client.structs import SHARED, Types
from ovasabi.kernel.declare.methods import Method

FOLDER = Path("clients/python/src/ovasabi_client")
SERVICES = FOLDER / "services"
OWNED = f"{SERVICES}/**/*.py"
"""The paths that contain only generated files, except for the synchronous half, which is built from these files."""
_VERSION_DOC = '"""The version of the API that this client was generated for."""'
_PACKAGE_DOC = '"""The typed Python client of OVASABI, synchronous and asynchronous."""'
_BY_HAND = {
    "responses": ["Page"],
    "api": ["CampaignScope", "Client"],
    "api_async": ["AsyncCampaignScope", "AsyncClient"],
    "failures": ["ResponseUnreadable", "ApiError", "ConnectionFailed", "OvasabiError"],
    "requests": ["Reference"],
}


def files_of(methods: Sequence[Method]) -> dict[Path, str]:
    """Returns the files for these methods: their paths in the repository, and their text."""
    types = Types(methods)
    folders = sorted({method.subject.folder for method in methods} | types.folders)
    services: dict[Path, str] = {}
    for folder in folders:
        files = _service([method for method in methods if method.subject.folder == folder], folder, types)
        services |= {SERVICES / folder / name: text for name, text in files.items()}
    return services | {
        FOLDER / "__init__.py": _package(_exporting(folders, types)),
        FOLDER / "version.py": f'{GENERATED}{_VERSION_DOC}\n\nVERSION = "{__version__}"\n',
        FOLDER / "errors.py": errors_file(),
        FOLDER / "types.py": types.shared_file(),
        FOLDER / "api_async.py": index_file(methods),
        SERVICES / "__init__.py": f'{GENERATED}"""The services, with a folder for each."""\n',
    }


def _service(methods: list[Method], folder: str, types: Types) -> dict[str, str]:
    """Returns the files that one service adds to the client, by name."""
    files = {
        "__init__.py": f'{GENERATED}"""The part of the client for the {folder} service."""\n',
        "api_async.py": api_file(methods, folder, types.modules),
    }
    if types.names(folder):
        files["types.py"] = types.service_file(folder)
    if service_errors_names(folder):
        files["errors.py"] = service_errors_file(folder)
    return files


def _exporting(folders: Iterable[str], types: Types) -> dict[str, list[str]]:
    """Returns the modules whose names the package exports, those with precedence first."""
    modules = {"errors": errors_names(), "types": types.names(SHARED)}
    modules |= {f"services.{folder}.errors": service_errors_names(folder) for folder in folders}
    modules |= {f"services.{folder}.types": types.names(folder) for folder in folders}
    return {f"ovasabi_client.{module}": names for module, names in modules.items() if names}


def _exports(module: str, names: Iterable[str], taken: set[str]) -> list[tuple[str, str]]:
    """Returns what is imported to export a module, without the names that others have already."""
    if taken.isdisjoint(names):
        return [(module, "*")]
    return [(module, name) for name in names if name not in taken]


def _package(exporting: Mapping[str, Iterable[str]]) -> str:
    """Returns the package's `__init__.py`, which exports everything that the services export.

    A type with the name of one of the client's own classes is exported by the module of its service alone.
    """
    by_hand = {f"ovasabi_client.{module}": names for module, names in _BY_HAND.items()}
    exports = [(module, name) for module, names in by_hand.items() for name in names]
    taken = {"UNSET", *(name for names in by_hand.values() for name in names)}
    for module, names in exporting.items():
        exports += _exports(module, names, taken)
        taken.update(names)
    exports.sort(key=lambda export: (natural(export[0]), member(export[1])))
    imports = "\n".join(_exported(module, name) for module, name in exports)
    head = f"{GENERATED}{_PACKAGE_DOC}\n\n# ruff: noqa: F401, F403\nfrom msgspec import UNSET as UNSET\n\n"
    return f"{head}{imports}\nfrom ovasabi_client.version import VERSION as __version__\n"


def _exported(module: str, name: str) -> str:
    """Returns an import as the linter formats it: a name that is exported again is imported as itself."""
    one = f"from {module} import {name}" if name == "*" else f"from {module} import {name} as {name}"
    return one if len(one) <= WIDTH else laid_out(0, Group(f"from {module} import (", [f"{name} as {name}"], ")"))
