"""Service discovery: every folder under `system/` and `services/` is a service; there is no list of them."""

import importlib
import traceback
from pathlib import Path

from ovasabi import services, system
from ovasabi.database.connection import Database
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.names import check_folder
from ovasabi.kernel.service import ServiceRegistry, check_consistency
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
                _import(f"{package}.{name}.{part}", folder)
    if _checked != folders.keys():
        _check({f"{package}.{name}" for name, (package, _) in folders.items()})
        _checked.update(folders)
    return sorted(folders)


def _import(module: str, folder: Path) -> None:
    try:
        importlib.import_module(module)
    except (DeclarationError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever is wrong with the module, even SystemExit: its author must be told where
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        problem = f"{module} cannot be imported: {reason}{_place(error, folder)}."
        raise DeclarationError(problem, hint="Set OVASABI_LOG_LEVEL=debug for details.") from error


def _place(error: BaseException, folder: Path) -> str:
    """Returns the line of the service's sources at which an error occurred; empty if the error itself says it."""
    if isinstance(error, SyntaxError):
        return ""
    lines = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [f" ({file.name}, line {line})" for file, line in lines if file.parent == folder]
    return own[-1] if own else ""


def _folders() -> dict[str, tuple[str, Path]]:
    """Returns the package and the path of each folder, by its name."""
    folders: dict[str, tuple[str, Path]] = {}
    for package in PACKAGES:
        for path in (path for root in package.__path__ for path in sorted(Path(root).iterdir())):
            if not _is_service(package.__name__, path):
                continue
            name, found = path.name, (package.__name__, path)
            if (other := folders.setdefault(name, found)) is not found:
                problem = f"{other[0]}.{name} and {found[0]}.{name} have the same name."
                raise DeclarationError(problem, hint="Rename one of the folders.")
    return folders


def _is_service(package: str, path: Path) -> bool:
    """Returns whether a file or a folder is a service; raises `DeclarationError` for one that only looks like it."""
    what = f"{package}.{path.stem if path.is_file() else path.name}"
    if path.is_file():
        if path.suffix == ".py" and path.name != "__init__.py":
            raise DeclarationError(f"{what} is a module.", hint="Put it into a folder of its own, as service.py.")
        return False
    files = {file.name for file in path.glob("*.py")}
    if path.name.startswith(".") or not files:  # what is left of a service that was removed
        return False
    check_folder(path.name)
    if "__init__.py" not in files:
        raise DeclarationError(f"{what} has no __init__.py.", hint="Add one that says what the service owns.")
    if files.isdisjoint({"entity.py", "service.py"}):
        problem = f"{what} has neither entity.py nor service.py, so nothing in it would be found."
        raise DeclarationError(problem, hint="Rename its files, or remove the folder.")
    return True


def _check(modules: set[str]) -> None:
    """Checks what the folders declare, not what a test adds to it."""
    own = [service for service in service_classes if _is_within(service, modules)]
    types = [of for of in declared.values() if _is_within(of.cls, modules)]
    if empty := sorted(modules - {cls.__module__.rpartition(".")[0] for cls in (*own, *(of.cls for of in types))}):
        raise DeclarationError(
            f"{empty[0]} declares no service.", hint="Declare one in service.py, or remove the folder."
        )
    check_consistency(own, types)
    ServiceRegistry(Database("postgresql://"))  # which creates an instance of each service, and checks it


def _is_within(cls: type, modules: set[str]) -> bool:
    """Returns whether a class belongs to one of the folders; one in a folder inside them cannot be named after it."""
    folder = ".".join(cls.__module__.split(".")[:3])
    if folder in modules and cls.__module__.count(".") > folder.count(".") + 1:
        problem = f"{cls.__name__} is declared in {cls.__module__}, a folder inside the service's folder."
        raise DeclarationError(problem, hint=f"Declare it in a module of {folder} itself.")
    return folder in modules
