"""Service discovery: every folder under `system/` and `services/` is a service; there is no list of them."""

import importlib
import pkgutil
from pathlib import Path

from ovasabi import services, system

PACKAGES = (system, services)
"""The packages that are searched for services."""


def discover() -> list[str]:
    """Imports the entities and rules of every service folder; returns the names of the folders, sorted."""
    folders = {
        module.name: (package.__name__, Path(folder) / module.name)
        for package in PACKAGES
        for folder in package.__path__
        for module in pkgutil.iter_modules([folder])
        if module.ispkg
    }
    for part in ("entity", "service"):
        for name, (package, folder) in sorted(folders.items()):
            if (folder / f"{part}.py").exists():
                importlib.import_module(f"{package}.{name}.{part}")
    return sorted(folders)
