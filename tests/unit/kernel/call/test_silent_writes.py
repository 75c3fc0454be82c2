"""Answers of searches are kept until there is an event: so no type that is searched is changed without one."""

import re
from pathlib import Path

from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import declared

ROOT = Path(__file__).parents[4]
WRITES = re.compile(r"(?:UPDATE|INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|COPY)\s+(?:ONLY\s+)?(service_\w+|master)\b")
TOLD = {"kernel/statements/creating.py", "kernel/statements/writing.py"}
"""Where each write is of a statement that writes its event too."""

discover()


def silent_writes() -> dict[str, set[str]]:
    """The tables of entities that are written by SQL of another place, and where."""
    package = ROOT / "src" / "ovasabi"
    files = [file for file in package.rglob("*.py") if str(file.relative_to(package)) not in TOLD]
    found: dict[str, set[str]] = {}
    for file in [*files, *package.rglob("*.sql"), *(ROOT / "sql").rglob("*.sql")]:
        for table in WRITES.findall(file.read_text()):
            if table != "service_event":
                found.setdefault(table, set()).add(file.name)
    return found


def test_no_type_that_is_searched_is_written_without_its_event() -> None:
    written = silent_writes()
    assert written.get("service_operation_main") == {"work.sql"}, "it is found where there is one"
    assert written.pop("master") == {"lost.sql"}, "of the platform, on servers that do not search them; as replication"
    searched = {of.table_name for of in declared.values() if of.searched}
    assert "service_content_main" in searched
    assert searched & written.keys() == set(), "its service must not offer a search, or must write events"
