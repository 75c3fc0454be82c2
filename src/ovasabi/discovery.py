"""Service discovery: every folder under `system/` and `services/` is a service; there is no list of them."""

import importlib
import pkgutil
from pathlib import Path

from ovasabi import services, system
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.names import check_folder
from ovasabi.kernel.service import check_consistency
from ovasabi.kernel.service import services as service_classes

PACKAGES = (system, services)
"""The packages that are searched for services."""
_checked: set[str] = set()
"""The folders that were found consistent with each other."""


def discover() -> list[str]:
    """Imports the entities and rules of every service folder; returns the names of the folders, sorted.

    Raises `DeclarationError` unless all that they declare is consistent.
    """
    folders = _folders()
    for part in ("entity", "service"):
        for name, (package, folder) in sorted(folders.items()):
            if (folder / f"{part}.py").exists():
                _import(f"{package}.{name}.{part}")
    if _checked != folders.keys():
        _check({f"{package}.{name}" for name, (package, _) in folders.items()})
        _checked.update(folders)
    return sorted(folders)


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except DeclarationError:
        raise
    except Exception as error:  # whatever is wrong with the module, its author must be told where
        problem = f"{module} cannot be imported: {type(error).__name__}: {error}."
        raise DeclarationError(problem, hint="Set OVASABI_LOG_LEVEL=debug for details.") from error


def _folders() -> dict[str, tuple[str, Path]]:
    """Returns the package and the path of each folder, by its name."""
    folders: dict[str, tuple[str, Path]] = {}
    for package in PACKAGES:
        for path in package.__path__:
            for module in pkgutil.iter_modules([path]):
                if not module.ispkg:
                    continue
                name, found = module.name, (package.__name__, Path(path) / module.name)
                check_folder(name)
                if (other := folders.setdefault(name, found)) is not found:
                    problem = f"{other[0]}.{name} and {found[0]}.{name} have the same name."
                    raise DeclarationError(problem, hint="Rename one of the folders.")
    return folders


def _check(modules: set[str]) -> None:
    """Checks what the folders declare, not what a test adds to it."""
    own = [service for service in service_classes if service.__module__.rpartition(".")[0] in modules]
    types = [of for of in declared.values() if of.cls.__module__.rpartition(".")[0] in modules]
    check_consistency(own, types)
