"""Database objects: the current text of each function, policy and trigger, applied again where it has changed.

Each file of `sql/` is one object, and can be applied at any time, again and again. What has to be there when it is
applied stands in a line such as `-- requires: ids/id_time`; it is applied again whenever one of those has changed.

Most are applied together, in one transaction. What locks tables says so, with a line `-- transaction: own`, or `none`
if it commits by itself, and comes after those: who holds one table's lock and waits for another's deadlocks with those
who write. What fails there is taken up again where it stopped.
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import asyncpg
import msgspec

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.sql import load
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.lifecycle import catalog

DROPPED = "dropped"
"""The object that drops what the tree no longer has."""

_SQL = load(__file__)
TURN = _SQL["turn"]
"""Waits until no other process migrates the database."""
_TABLE = (_SQL["table"], _SQL["column"], _SQL["comment"])
_REQUIRES = re.compile(r"^-- requires: (.+)$", re.MULTILINE)
_TRANSACTION = re.compile(r"^-- transaction: (own|none)$", re.MULTILINE)
_DROPS = re.compile(r"^-- drops: (\S+)$", re.MULTILINE)


class ObjectUnknown(OvasabiError):
    """The database has an object that this version lacks: a newer version applied it, or its file was removed."""

    kind = Kind.PRECONDITION
    code = "object_unknown"
    message = "The database has the object {name}, which is in neither sql/ nor sql/dropped.sql."
    hint = "Run the version that applied it; if you removed its file, drop the object in sql/dropped.sql."
    example = such_as(name="search/search_entities")


class ObjectFailed(Exception):
    """An object could not be applied: which, and what PostgreSQL said."""


class SqlObject(msgspec.Struct, frozen=True):
    """An object: its name, such as `ids/id_time`, its text, and the hash of it and all that it requires."""

    name: str
    text: str
    hash: str

    @property
    def transaction(self) -> str:
        """Where it is applied: `shared` with others, in its `own`, or `none`: it commits by itself."""
        match = _TRANSACTION.search(self.text)
        return match[1] if match is not None else "shared"


class Step(msgspec.Struct, frozen=True):
    """What is to be run for an object, and the note that it was."""

    name: str
    transaction: str
    what: str
    text: str
    note: str
    before: tuple[str, ...] = ()
    """What undoes a change that the text alone would not undo."""


class State(msgspec.Struct, frozen=True):
    """What a database says of itself: the migrations that it is at, the objects applied to it, and its catalog."""

    revisions: tuple[str, ...]
    objects: dict[str, str]
    """The hash of each object that was applied."""
    made: dict[str, dict[str, str]] = {}
    """What the catalog said of each once it was applied, if that was recorded."""
    facts: tuple[catalog.Fact, ...] = ()
    """What it says now."""

    def outdated(self) -> list[str]:
        """The objects that are to be applied, or are not known, in order."""
        wanted, changed = objects(), self.changed()
        found = [each.name for each in wanted if each.name in changed or self.objects.get(each.name) != each.hash]
        return [*found, *sorted(self.objects.keys() - {each.name for each in wanted})]

    def changed(self) -> dict[str, list[catalog.Difference]]:
        """How the catalog differs from what was applied, by object: something was dropped, revoked or replaced."""
        found = {}
        for each in objects():
            if each.name in self.made and self.objects.get(each.name) == each.hash:
                found[each.name] = catalog.differences(self.made[each.name], self.of(each))
        return {name: differences for name, differences in found.items() if differences}

    def unrecorded(self) -> set[str]:
        """The applied objects of which it is not known what they made, so that no change would be noticed."""
        known = {each.name: self.of(each) for each in objects() if each.name in self.made}
        return {name for name in self.objects if name not in known or catalog.is_stale(self.made[name], known[name])}

    def of(self, each: SqlObject) -> list[catalog.Fact]:
        """The facts about what an object makes."""
        mine = catalog.subjects(each.name, each.text)
        return [fact for fact in self.facts if fact.subject in mine]


def folder() -> Path:
    """Where the objects are: beside the sources, or inside the installed package."""
    package = Path(__file__).parents[1]
    return next(path for path in (package.parents[1] / "sql", package / "sql") if path.is_dir())


@cache
def objects(root: Path | None = None) -> Sequence[SqlObject]:
    """The objects of the program, each behind those that it requires."""
    root = root or folder()
    files = {file.relative_to(root).with_suffix("").as_posix(): file for file in sorted(root.rglob("*.sql"))}
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    requires = {name: _requires(text) for name, text in texts.items()}
    for name, needed in requires.items():
        if missing := set(needed) - texts.keys():
            raise LookupError(f"sql/{name}.sql requires {', '.join(sorted(missing))}, which is not there")
    try:
        order = [name for name in TopologicalSorter(requires).static_order() if name != DROPPED]
    except CycleError as error:
        raise LookupError(f"objects require each other: {' → '.join(error.args[1])}") from None
    found: dict[str, SqlObject] = {}
    for name in [*order, *texts.keys() & {DROPPED}]:
        whole = "\n".join([texts[name], *(found[needed].hash for needed in sorted(requires[name]))])
        found[name] = SqlObject(name, texts[name], hashlib.sha256(whole.encode()).hexdigest())
        if found[name].transaction == "shared" and (late := [n for n in requires[name] if _late(found[n])]):
            raise LookupError(f"sql/{name}.sql requires {', '.join(late)}, which is applied after it")
    return sorted(found.values(), key=_late)


def _late(of: SqlObject) -> bool:
    return of.transaction != "shared"


async def state_of(connection: asyncpg.Connection) -> State:
    """What a database says of itself; the application's login may ask, too."""
    try:
        (row,) = await connection.fetch(_SQL["state"])
    except asyncpg.UndefinedTableError:
        migrated = await connection.fetchval(_SQL["migrated"])
        return State(tuple(await connection.fetchval(_SQL["revisions"])) if migrated else (), {})
    made = msgspec.json.decode(row["made"], type=dict[str, dict[str, str] | None])
    names = set().union(*(catalog.subjects(each.name, each.text) for each in objects()))
    return State(
        tuple(row["revisions"]),
        msgspec.json.decode(row["objects"], type=dict[str, str]),
        {name: facts for name, facts in made.items() if facts is not None},
        tuple(await catalog.facts(connection, names)),
    )


async def outdated(url: str) -> list[str]:
    """The objects of a database that are to be applied."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return (await state_of(connection)).outdated()
    finally:
        await connection.close()


async def apply(url: str, *, turn_timeout: str, lock_timeout: str) -> None:
    """Applies the objects that have changed: those that lock no table all together or, where one fails, not at all."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(f"SET ROLE {OWNER_ROLE}; SET lock_timeout = '{turn_timeout}'")
        await connection.execute(TURN)
        await connection.execute(f"SET lock_timeout = '{lock_timeout}'")
        state = await state_of(connection)
        if steps := _steps(state):
            for statement in _TABLE:
                await connection.execute(statement)
            for together in _transactions(steps):
                async with nullcontext() if together[0].transaction == "none" else connection.transaction():
                    for step in together:
                        await _apply(connection, step)
        await _record(connection)
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, step: Step) -> None:
    try:
        # What commits by itself must be alone: PostgreSQL takes several statements in one message for a transaction.
        texts = (*step.before, step.text, step.note)
        for text in texts if step.transaction == "none" else ("\n".join([*_closed(step.before), *texts[-2:]]),):
            await connection.execute(text)
    except asyncpg.PostgresError as error:
        raise ObjectFailed(f"sql/{step.name}.sql: {error}") from error


async def _record(connection: asyncpg.Connection) -> None:
    """Records what the catalog says of what was applied, and of what is new for objects that were applied before."""
    state = await state_of(connection)
    made = {
        each.name: catalog.made_of(state.of(each)) | state.made.get(each.name, {})
        for each in objects()
        if each.name in state.objects
    }
    await connection.execute(
        _SQL["record"], list(made), [msgspec.json.encode(facts).decode() for facts in made.values()]
    )


def _closed(statements: Sequence[str]) -> list[str]:
    return [f"{statement};" for statement in statements]


def plan(state: State) -> str:
    """The SQL that `apply` would run, as text: statement by statement, as psql reads it."""
    steps = _steps(state)
    if not steps:
        return ""
    parts = [f"SET ROLE {OWNER_ROLE};", *(f"{statement};" for statement in _TABLE)]
    for together in _transactions(steps):
        texts = ["\n".join([f"-- {step.what}", *_closed(step.before), step.text, step.note]) for step in together]
        parts += texts if together[0].transaction == "none" else ["BEGIN;", *texts, "COMMIT;"]
    return "\n\n".join([*parts, "RESET ROLE;"]) + "\n"


def _steps(state: State) -> list[Step]:
    known = {each.name: each for each in objects()}
    gone = set(_DROPS.findall(known[DROPPED].text)) if DROPPED in known else set()
    changed, unrecorded = state.changed(), state.unrecorded()
    steps = []
    for name in [*known, *(name for name in state.outdated() if name not in known)]:
        if (of := known.get(name)) is not None:
            if (verb := _verb(of, state, changed, unrecorded)) is None:
                continue
            before = tuple(mend for difference in changed.get(name, ()) for mend in difference.mend)
            what = f"sql/{name}.sql is {verb}."
            steps.append(Step(name, of.transaction, what, of.text.strip(), _note(of), before))
        elif name in gone:
            forget = f"DELETE FROM sql_object WHERE name = '{name}';"
            steps.append(Step(name, "own", f"{name} is gone: see sql/dropped.sql.", "", forget))
        else:
            raise ObjectUnknown(name=name)
    return steps


def _verb(
    of: SqlObject, state: State, changed: dict[str, list[catalog.Difference]], unrecorded: set[str]
) -> str | None:
    """What becomes of an object, and why; None if nothing does."""
    if of.name not in state.objects:
        return "applied for the first time"
    if state.objects[of.name] != of.hash:
        return "replaced"
    if of.name in changed:
        return f"applied again: {'; '.join(difference.what for difference in changed[of.name])}"
    return "applied again, and what it makes is recorded" if of.name in unrecorded else None


def _transactions(steps: list[Step]) -> list[list[Step]]:
    """The steps that are taken together."""
    shared = [step for step in steps if step.transaction == "shared"]
    return [*([shared] if shared else []), *([step] for step in steps if step.transaction != "shared")]


def _note(of: SqlObject) -> str:
    return (
        f"INSERT INTO sql_object (name, hash) VALUES ('{of.name}', '{of.hash}')\n"
        "  ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = excluded.applied_at, made = NULL;"
    )


def _requires(text: str) -> list[str]:
    return [name.strip() for line in _REQUIRES.findall(text) for name in line.split(",")]
