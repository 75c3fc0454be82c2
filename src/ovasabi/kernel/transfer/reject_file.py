"""The reject file: the lines that an import rejected, each with its reason. Created with the first such line."""

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.transfer.lines import Line, NotImportable


class Rejects:
    """The reject file: one JSON object per line. It replaces the file of an earlier import."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    def write(self, line: Line, refusal: OvasabiError) -> None:
        """Writes a line immediately, without buffering."""
        reason = (
            "An earlier line with this key had different values." if isinstance(refusal, KeyReused) else str(refusal)
        )
        raw = line.raw.decode(errors="backslashreplace").rstrip("\r\n")
        entry = {"line": line.number, "reason": reason, "field": refusal.field, "raw": raw}
        try:
            if self._file is None:
                # A line may contain personal or secret data: only the owner of the file can read it.
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                self._file = os.fdopen(os.open(self.path, flags, 0o600), "wb", buffering=0)
            self._file.write(msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            problem = f"The reject file {self.path} cannot be written: {error.strerror}."
            raise NotImportable(problem=problem, hint="Choose another with --rejects.") from error

    def close(self) -> None:
        """Closes the file if it was created."""
        if self._file is not None:
            self._file.close()
