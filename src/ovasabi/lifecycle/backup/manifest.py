"""The manifest of a backup: what made it, what it holds, and the size and digest of its dump."""

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from ovasabi.kernel.call.input_errors import plain
from ovasabi.lifecycle.backup.errors import RestoreFailed
from ovasabi.lifecycle.backup.inventory import Inventory, Server

FORMAT = 1
MANIFEST, DUMP = "manifest.json", "database.dump"
_CHUNK = 1 << 20


class File(msgspec.Struct, frozen=True):
    """The size and SHA-256 of a file."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """A backup, described."""

    format: int
    ovasabi: str
    created_at: datetime
    tool: str
    """The version of pg_dump."""
    server: Server
    dump: File
    inventory: Inventory
    log_end: int | None = None
    """The last position of the event log that a cursor could have then. Earlier versions did not record it."""

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(table.rows for table in self.inventory.tables.values())


def measured(path: Path) -> File:
    """Returns the size and digest of a file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return File(size, digest.hexdigest())


def written(manifest: Manifest) -> bytes:
    """Returns the text of a manifest."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read(directory: Path) -> Manifest:
    """Reads the manifest of a backup, and checks that its dump is undamaged; raises RestoreFailed if it is not."""
    hint = "Use another backup: this one is incomplete or was changed."
    try:
        text = (directory / MANIFEST).read_bytes()
        if msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("format") != msgspec.Raw(b"%d" % FORMAT):
            problem = f"{directory} was made by a version of OVASABI with another format"
            raise RestoreFailed(problem=problem, hint="Restore it with the version that made it.")
        manifest = msgspec.json.decode(text, type=Manifest)
        found = measured(directory / DUMP)
    except FileNotFoundError as error:
        problem = f"{directory} is not a backup: it has no {Path(error.filename).name}"
        raise RestoreFailed(problem=problem, hint="Name a directory that `ovasabi backup` has made.") from None
    except OSError as error:
        raise RestoreFailed(problem=f"{error.filename} cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise RestoreFailed(problem=f"{directory / MANIFEST} is damaged: {plain(error)}", hint=hint) from None
    if found.bytes != manifest.dump.bytes:
        problem = f"{directory / DUMP} has {found.bytes:,} bytes instead of {manifest.dump.bytes:,}"
        raise RestoreFailed(problem=problem, hint=hint)
    if found.sha256 != manifest.dump.sha256:
        raise RestoreFailed(problem=f"{directory / DUMP} is damaged: its digest is another", hint=hint)
    return manifest
