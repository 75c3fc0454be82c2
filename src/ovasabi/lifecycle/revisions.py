"""The graph of migrations, read from their files: its order, the migrations that a database lacks, and new ids."""

import ast
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as

_ASSIGNED = re.compile(
    r"^(?P<name>revision|down_revision|depends_on)\b[^=\n]*= *(?P<value>\([^)]*\)|\[[^\]]*\]|[^\n#]+)", re.MULTILINE
)


class HistoryInvalid(OvasabiError):
    """The migration files do not form one history."""

    kind = Kind.PRECONDITION
    code = "migration_history_invalid"
    message = "{problem}"
    example = such_as(
        problem="Two migrations have the id 0003: 0003_gift_card.py and 0003_search.py.",
        hint="Give your migration a new id: ovasabi migrate --renumber migrations/versions/<file>",
    )


class DatabaseAhead(OvasabiError):
    """The database was migrated by a newer version, or by one with other services."""

    kind = Kind.PRECONDITION
    code = "database_ahead"
    message = "The database is at migration {revision}, which is unknown to this version."
    hint = "Run the version that applied it, or use another database."
    example = such_as(revision="20270115093012_4e1b")


class Revision(msgspec.Struct, frozen=True):
    """A migration: its id, the migrations that must be applied before it, and its file."""

    id: str
    follows: tuple[str, ...]
    needs: tuple[str, ...]
    file: Path


class Renumbered(msgspec.Struct, frozen=True):
    """A migration that got a new id; `last` means that none of the other renumbered migrations follows it."""

    file: Path
    old: str
    new: str
    last: bool


class History:
    """All migrations, each after those that it depends on. It may have several heads, added by different authors."""

    def __init__(self, revisions: Sequence[Revision]) -> None:
        self.revisions: dict[str, Revision] = {each.id: each for each in _in_order(revisions)}

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The heads of the history, sorted: the revisions of a database on which everything has been applied."""
        followed = {id for each in self.revisions.values() for id in each.follows}
        return tuple(sorted(self.revisions.keys() - followed))

    def pending(self, applied: Iterable[str]) -> list[str]:
        """Returns the migrations that a database lacks, in order; raises DatabaseAhead if it has an unknown one."""
        present = set(applied)
        if unknown := present - self.revisions.keys():
            raise DatabaseAhead(revision=", ".join(sorted(unknown)))
        for each in reversed(self.revisions.values()):  # if a migration is applied, so are those before it
            if each.id in present:
                present.update(each.follows, each.needs)
        return [id for id in self.revisions if id not in present]


def versions() -> Path:
    """Returns the folder of the migration files: beside the sources, or inside the installed package."""
    package = Path(__file__).parents[1]
    roots = (package.parents[1] / "migrations", package / "migrations")
    return next(path for path in roots if path.is_dir()) / "versions"


def history(folder: Path | None = None) -> History:
    """Reads the history from the files, without Alembic, which is slow to load."""
    files = sorted((folder or versions()).glob("*.py"))
    return History([each for file in files if (each := _read(file)) is not None])


def new_id() -> str:
    """Returns a new id that sorts by time; ids generated in the same second, for example by colleagues, differ."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}_{secrets.token_hex(2)}"


def renumber(files: Sequence[Path]) -> list[Renumbered]:
    """Gives migrations new ids, and updates the references among them.

    This is for files whose ids collide with those of a release, because earlier versions used sequential numbers.
    """
    read = {file: each for file in files if (each := _read(file)) is not None}
    if invalid := set(files) - read.keys():
        problem = f"{', '.join(sorted(map(str, invalid)))} is not a migration."
        raise HistoryInvalid(problem=problem, hint="Pass a migration file, like migrations/versions/0003_gift_card.py")
    ids = dict(zip(sorted(each.id for each in read.values()), _new_ids(len(read)), strict=True))
    followed = {id for each in read.values() for id in each.follows}
    written = []
    for file, each in read.items():
        text = _ASSIGNED.sub(lambda match: _with_new_ids(match[0], ids), file.read_text(encoding="utf-8"))
        slug = file.name.removeprefix(each.id).lstrip("_")
        target = file.with_name(f"{ids[each.id]}_{slug}")
        target.write_text(text, encoding="utf-8")
        file.unlink()
        written.append(Renumbered(target, each.id, ids[each.id], last=each.id not in followed))
    return written


def _new_ids(count: int) -> list[str]:
    """Returns new ids in ascending order, even if they are generated within one second."""
    return sorted(new_id() for _ in range(count))


def _with_new_ids(assignment: str, ids: Mapping[str, str]) -> str:
    return re.sub(r"(['\"])(\w+)\1", lambda match: f"{match[1]}{ids.get(match[2], match[2])}{match[1]}", assignment)


def _read(file: Path) -> Revision | None:
    found: dict[str, Any] = {}
    for match in _ASSIGNED.finditer(file.read_text(encoding="utf-8")):
        try:
            found.setdefault(match["name"], ast.literal_eval(match["value"].strip()))
        except (ValueError, SyntaxError):
            problem = f"The {match['name']} of {file.name} is not a literal."
            raise HistoryInvalid(problem=problem, hint="Write it as a string, or as a tuple of strings.") from None
    if "revision" not in found:
        return None
    return Revision(found["revision"], _ids(found.get("down_revision")), _ids(found.get("depends_on")), file)


def _ids(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _in_order(revisions: Sequence[Revision]) -> list[Revision]:
    by_id: dict[str, Revision] = {}
    for each in revisions:
        if (other := by_id.get(each.id)) is not None:
            names = f"{other.file.name} and {each.file.name}"
            raise HistoryInvalid(
                problem=f"Two migrations have the id {each.id}: {names}.",
                hint=f"Give your migration a new id: ovasabi migrate --renumber {each.file.parent}/<file>",
            )
        by_id[each.id] = each
    for each in revisions:
        if missing := {*each.follows, *each.needs} - by_id.keys():
            raise HistoryInvalid(
                problem=f"{each.file.name} follows the migration {', '.join(sorted(missing))}, which is missing.",
                hint="Restore its file, for example from the branch that it was created on.",
            )
    graph = {each.id: sorted({*each.follows, *each.needs}) for each in sorted(revisions, key=lambda one: one.id)}
    try:
        return [by_id[id] for id in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        problem = f"The migrations form a cycle: {' → '.join(error.args[1])}."
        raise HistoryInvalid(problem=problem, hint="Correct the down_revision of one of them.") from None
