"""The rows of a dump, counted without a database: to compare them with what the manifest says."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryFile

from ovasabi.database.bundled import VERSION
from ovasabi.lifecycle.backup.errors import RestoreFailed
from ovasabi.lifecycle.backup.manifest import DUMP, MANIFEST, Manifest
from ovasabi.lifecycle.backup.tools import ToolFailed, reason, tool

_NAME = rb'public\.("(?:[^"]|"")+"|[^ ;"]+)'
_ATTACHED = re.compile(rb"ALTER TABLE ONLY " + _NAME + rb" ATTACH PARTITION " + _NAME + rb" ")
_COPY = re.compile(rb"COPY " + _NAME + rb" .*FROM stdin;\n")
_END = b"\\.\n"


def check_rows(directory: Path, manifest: Manifest) -> None:
    """Checks that the dump has as many rows of each table as the manifest says; raises RestoreFailed if not."""
    try:
        found = _rows(_program(manifest), directory / DUMP)
    except ToolFailed as error:
        raise RestoreFailed(problem=f"the dump cannot be read: {error}", hint=error.hint) from None
    said = {name: table.rows for name, table in manifest.inventory.tables.items()}
    told = [
        f"{DUMP} has {found[name]:,} rows of {name}, but {MANIFEST} says {said.get(name, 0):,}"
        for name in sorted(found.keys() | said.keys())
        if found[name] != said.get(name, 0)
    ]
    if told:
        hint = "Use another backup: one of the two files was changed."
        raise RestoreFailed(problem="; ".join(told[:5]), hint=hint)


def _program(manifest: Manifest) -> Path:
    """Returns the pg_restore of the dump's version, or else the one that comes with OVASABI, if it is a newer one."""
    try:
        return tool("pg_restore", manifest.server.major, embedded=True)[0]
    except ToolFailed:
        if manifest.server.major > VERSION:
            raise
        return tool("pg_restore", VERSION, embedded=True)[0]


def _rows(program: Path, dump: Path) -> "Counter[str]":
    """Returns the number of rows of each table, with those of all of its partitions; reads the dump as a stream."""
    parents: dict[str, str] = {}
    rows: Counter[str] = Counter()
    copying: str | None = None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    with TemporaryFile() as said, subprocess.Popen(
        [program, "--file=-", dump], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
        env=environment | {"LC_ALL": "C"}, cwd="/", start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if copying is not None:
                    if line == _END:
                        copying = None
                    else:
                        rows[copying] += 1
                elif (match := _COPY.fullmatch(line)) is not None:
                    copying = _table(match[1])
                elif (match := _ATTACHED.match(line)) is not None:
                    parents[_table(match[2])] = _table(match[1])
        except BaseException:
            process.kill()
            raise
        if process.wait():
            said.seek(0)
            raise ToolFailed(reason(program.name, process.returncode, said.read().decode(errors="replace")))
    return _by_root(rows, parents)


def _by_root(rows: "Counter[str]", parents: dict[str, str]) -> "Counter[str]":
    found: Counter[str] = Counter()
    for name, count in rows.items():
        while name in parents:
            name = parents[name]
        found[name] += count
    return found


def _table(name: bytes) -> str:
    text = name.decode()
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
