"""The services: one folder each, found by looking, never by a list."""

import importlib
import pkgutil
from pathlib import Path


def discover() -> list[str]:
    """Imports the declaration, if it has one, and the rules of every service folder; answers their names, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    for part in ("entity", "service"):
        for name in names:
            if any((Path(folder) / name / f"{part}.py").exists() for folder in __path__):
                importlib.import_module(f"{__name__}.{name}.{part}")
    return names
