"""The graph of migrations, read from the heads of their files: what there is, what a database lacks, and new ids."""

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
    """The files of the migrations do not form one history."""

    kind = Kind.PRECONDITION
    code = "migration_history_invalid"
    message = "{problem}"
    example = such_as(
        problem="Two migrations have the id 0003: 0003_gift_card.py and 0003_search.py.",
        hint="Give your own one a new id: ovasabi migrate --renumber migrations/versions/<file>",
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
    """A migration that got a new id; `last` if no other one of those given follows it."""

    file: Path
    old: str
    new: str
    last: bool


class History:
    """All migrations, each behind those that it follows. There may be several ends, added by different authors."""

    def __init__(self, revisions: Sequence[Revision]) -> None:
        self.revisions: dict[str, Revision] = {each.id: each for each in _in_order(revisions)}

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The ends of the history, sorted: what a database is at once everything has been applied."""
        followed = {id for each in self.revisions.values() for id in each.follows}
        return tuple(sorted(self.revisions.keys() - followed))

    def pending(self, applied: Iterable[str]) -> list[str]:
        """The migrations that a database lacks, in order; raises DatabaseAhead if it is at one that is not ours."""
        at = set(applied)
        if unknown := at - self.revisions.keys():
            raise DatabaseAhead(revision=", ".join(sorted(unknown)))
        for each in reversed(self.revisions.values()):  # whatever is applied, so is what came before it
            if each.id in at:
                at.update(each.follows, each.needs)
        return [id for id in self.revisions if id not in at]


def versions() -> Path:
    """Where the files of the migrations are: beside the sources, or inside the installed package."""
    package = Path(__file__).parents[1]
    roots = (package.parents[1] / "migrations", package / "migrations")
    return next(path for path in roots if path.is_dir()) / "versions"


def history(folder: Path | None = None) -> History:
    """Reads the history from the files, without Alembic, which takes long to load."""
    files = sorted((folder or versions()).glob("*.py"))
    return History([each for file in files if (each := _read(file)) is not None])


def new_id() -> str:
    """A new id: it sorts by time, and a colleague who makes one in the same second gets another."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}_{secrets.token_hex(2)}"


def renumber(files: Sequence[Path]) -> list[Renumbered]:
    """Gives migrations, and the references among them, new ids.

    For files whose ids collide with those of a release: earlier versions numbered migrations one after another.
    """
    read = {file: each for file in files if (each := _read(file)) is not None}
    if strangers := set(files) - read.keys():
        problem = f"{', '.join(sorted(map(str, strangers)))} is not a migration."
        raise HistoryInvalid(problem=problem, hint="Name files such as migrations/versions/0003_gift_card.py")
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
    """New ids in rising order, although they are made within one second."""
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
    known: dict[str, Revision] = {}
    for each in revisions:
        if (other := known.get(each.id)) is not None:
            names = f"{other.file.name} and {each.file.name}"
            raise HistoryInvalid(
                problem=f"Two migrations have the id {each.id}: {names}.",
                hint=f"Give your own one a new id: ovasabi migrate --renumber {each.file.parent}/<file>",
            )
        known[each.id] = each
    for each in revisions:
        if missing := {*each.follows, *each.needs} - known.keys():
            raise HistoryInvalid(
                problem=f"{each.file.name} follows the migration {', '.join(sorted(missing))}, which is missing.",
                hint="Restore its file, for example from the branch that it was written on.",
            )
    graph = {each.id: sorted({*each.follows, *each.needs}) for each in sorted(revisions, key=lambda one: one.id)}
    try:
        return [known[id] for id in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        problem = f"Migrations follow each other in a circle: {' → '.join(error.args[1])}."
        raise HistoryInvalid(problem=problem, hint="Correct the down_revision of one of them.") from None
