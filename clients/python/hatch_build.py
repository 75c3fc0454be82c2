"""The build of the package: it writes the synchronous half of the client before its files are gathered."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Unasync(BuildHookInterface[Any]):
    """Runs `unasync.py`, for a wheel, a source archive and an editable install alike."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the files; those that git ignores are named as part of the package in pyproject.toml."""
        spec = importlib.util.spec_from_file_location("unasync", Path(self.root) / "unasync.py")
        assert spec is not None
        assert spec.loader is not None
        unasync = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(unasync)
        unasync.write()
