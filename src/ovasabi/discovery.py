"""The services: one folder each under `system/` and `services/`, found by looking, never by a list."""

import importlib
import pkgutil
from pathlib import Path

from ovasabi import services, system

PACKAGES = (system, services)
"""Where services are looked for."""


def discover() -> list[str]:
    """Imports the declarations and the rules of every service folder; returns the folders' names, sorted."""
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
