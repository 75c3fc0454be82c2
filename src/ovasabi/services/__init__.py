"""The services: one folder each, found by looking, never by a list."""

import importlib
import pkgutil


def discover() -> list[str]:
    """Imports the declaration and the rules of every service folder; answers their names, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    for name in names:
        importlib.import_module(f"{__name__}.{name}.entity")
    for name in names:
        importlib.import_module(f"{__name__}.{name}.service")
    return names
