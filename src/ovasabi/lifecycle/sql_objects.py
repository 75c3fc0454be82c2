"""Database objects: the current text of each function, policy and trigger, applied again when it has changed.

Each file of `sql/` is one object, and can be applied repeatedly at any time. A line like `-- requires: ids/id_time`
lists the objects that it depends on; when one of those has changed, it is applied again too.

Most objects are applied together, in one transaction. Those that lock tables are applied later, each in its own
transaction (`-- transaction: own`), or without one if they commit themselves (`-- transaction: none`): holding the lock
of one table while waiting for that of another would deadlock with concurrent writes. After a failure there, the next
run continues with the object that failed.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.roles import END_OWNING, LET_OWN, OWNER_ROLE
from ovasabi.database.session import open_session
from ovasabi.database.sql import load
from ovasabi.errors import DeclarationError, Kind, OvasabiError, such_as
from ovasabi.kernel.declare.entity import declared
from ovasabi.lifecycle import catalog
from ovasabi.suggestions import nearest

DROPPED = "dropped"
"""The object that drops what was removed from the source tree."""

_SQL = load(__file__)
LOCK_WAIT_SECONDS = 120.0
"""How long to wait for another process that migrates the same database."""
_TABLE = (_SQL["table"], _SQL["column"], _SQL["comment"])
_REQUIRES = re.compile(r"^-- requires: (.+)$", re.MULTILINE)
_TRANSACTION = re.compile(r"^-- transaction: (own|none)$", re.MULTILINE)
_COMMENTS = re.compile(r"--.*")
_DROPS = re.compile(r"^-- drops: (\S+)$", re.MULTILINE)


class ObjectUnknown(OvasabiError):
    """The database has an object that this version lacks: a newer version applied it, or its file was removed."""

    kind = Kind.PRECONDITION
    code = "object_unknown"
    message = "The database has the object {name}, which is in neither sql/ nor sql/dropped.sql."
    hint = "Run the version that applied it; if you removed or renamed its file, drop the object in sql/dropped.sql."
    example = such_as(name="search/search_entities")


class ObjectFailed(Exception):
    """An object could not be applied; the message has its file and PostgreSQL's error."""


class SqlObject(msgspec.Struct, frozen=True):
    """An object: its name, for example `ids/id_time`, its text, and the hash of the text and everything it requires."""

    name: str
    text: str
    hash: str

    @property
    def transaction(self) -> str:
        """The transaction that it is applied in: `shared` with others, its `own`, or `none` if it commits itself."""
        match = _TRANSACTION.search(self.text)
        return match[1] if match is not None else "shared"


class Step(msgspec.Struct, frozen=True):
    """What to run for an object, and the statement that records it."""

    name: str
    transaction: str
    what: str
    text: str
    record: str
    before: tuple[str, ...] = ()
    """Statements that undo changes which the text alone would not undo."""


class State(msgspec.Struct, frozen=True):
    """The state of a database: its current migrations, the objects applied to it, and its catalog."""

    revisions: tuple[str, ...]
    objects: dict[str, str]
    """The hash of each object that was applied."""
    made: dict[str, dict[str, str]] = {}
    """The facts of the catalog after each object was applied, if they were recorded."""
    facts: tuple[catalog.Fact, ...] = ()
    """The current facts of the catalog."""
    tables_missing: tuple[str, ...] = ()
    """The discovered entity types whose tables do not exist."""

    def outdated(self) -> list[str]:
        """Returns the objects that must be applied, in order, followed by those that are unknown."""
        expected, changed = objects(), self.changed()
        found = [each.name for each in expected if each.name in changed or self.objects.get(each.name) != each.hash]
        return [*found, *sorted(self.objects.keys() - {each.name for each in expected})]

    def changed(self) -> dict[str, list[catalog.Difference]]:
        """Returns how the catalog differs from what was applied, by object: what was dropped, revoked or replaced."""
        found = {}
        for each in objects():
            if each.name in self.made and self.objects.get(each.name) == each.hash:
                found[each.name] = catalog.differences(self.made[each.name], self.of(each))
        return {name: differences for name, differences in found.items() if differences}

    def unrecorded(self) -> set[str]:
        """Returns the applied objects without current recorded facts, so that changes would not be detected."""
        facts = {each.name: self.of(each) for each in objects() if each.name in self.made}
        return {name for name in self.objects if name not in facts or catalog.is_stale(self.made[name], facts[name])}

    def of(self, each: SqlObject) -> list[catalog.Fact]:
        """Returns the current facts about what an object is responsible for."""
        subjects = catalog.subjects(each.name, each.text)
        return [fact for fact in self.facts if fact.subject in subjects]


def folder() -> Path:
    """Returns the folder of the objects: beside the sources, or inside the installed package."""
    package = Path(__file__).parents[1]
    return next(path for path in (package.parents[1] / "sql", package / "sql") if path.is_dir())


@cache
def objects(root: Path | None = None) -> Sequence[SqlObject]:
    """Returns the objects of this version, each after those that it requires."""
    root = root or folder()
    files = {file.relative_to(root).with_suffix("").as_posix(): file for file in sorted(root.rglob("*.sql"))}
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    _check_texts(texts)
    requires = {name: _requires(text) for name, text in texts.items()}
    for name, needed in requires.items():
        if missing := sorted(set(needed) - texts.keys()):
            near = nearest(missing[0], texts)
            hint = f"Did you mean {near}?" if near else "If its file was renamed, rename it in this line, too."
            raise DeclarationError(f"sql/{name}.sql requires {', '.join(missing)}, which does not exist.", hint=hint)
    try:
        order = [name for name in TopologicalSorter(requires).static_order() if name != DROPPED]
    except CycleError as error:
        raise DeclarationError(f"Objects of sql/ require each other: {' → '.join(error.args[1])}.") from None
    found: dict[str, SqlObject] = {}
    for name in [*order, *texts.keys() & {DROPPED}]:
        whole = "\n".join([texts[name], *(found[needed].hash for needed in sorted(requires[name]))])
        found[name] = SqlObject(name, texts[name], hashlib.sha256(whole.encode()).hexdigest())
        if found[name].transaction == "shared" and (late := [n for n in requires[name] if _late(found[n])]):
            raise DeclarationError(f"sql/{name}.sql requires {', '.join(late)}, which is applied after it.")
    return sorted(found.values(), key=_late)


def _check_texts(texts: Mapping[str, str]) -> None:
    """Refuses a file without a statement, and two files that are responsible for one thing."""
    responsible: dict[str, str] = {}
    for name, text in texts.items():
        if name != DROPPED and not _COMMENTS.sub("", text).strip():
            problem = f"sql/{name}.sql has no statement."
            raise DeclarationError(problem, hint="Restore it, or delete it and drop its object in sql/dropped.sql.")
        for subject in sorted(catalog.subjects(name, text)):
            if (other := responsible.setdefault(subject, name)) != name:
                problem = f"sql/{other}.sql and sql/{name}.sql are both responsible for {subject}."
                raise DeclarationError(problem, hint="Keep it in one of them.")


def _late(of: SqlObject) -> bool:
    return of.transaction != "shared"


async def state_of(connection: asyncpg.Connection) -> State:
    """Reads the state of a database; the privileges of the application's login are sufficient."""
    # In a transaction, a table that does not exist would fail all that follows, too.
    savepoint = connection.transaction() if connection.is_in_transaction() else nullcontext()
    try:
        async with savepoint:
            (row,) = await connection.fetch(_SQL["state"])
    except asyncpg.UndefinedTableError:
        migrated = await connection.fetchval(_SQL["migrated"])
        return State(tuple(await connection.fetchval(_SQL["revisions"])) if migrated else (), {})
    made = msgspec.json.decode(row["made"], type=dict[str, dict[str, str] | None])
    return State(
        tuple(row["revisions"]),
        msgspec.json.decode(row["objects"], type=dict[str, str]),
        {name: facts for name, facts in made.items() if facts is not None},
        tuple(await catalog.facts(connection, {each.name: each.text for each in objects()})),
        await _tables_missing(connection),
    )


async def _tables_missing(connection: asyncpg.Connection) -> tuple[str, ...]:
    found = [of for of in declared.values() if of.cls.__module__.partition(".")[0] == __package__.partition(".")[0]]
    rows = await connection.fetch(
        _SQL["tables_missing"], [of.name for of in found], [f"public.{of.table_name}" for of in found]
    )
    return tuple(row["name"] for row in rows)


async def outdated(url: str) -> list[str]:
    """Returns the objects that must be applied to a database."""
    return (await _state_at(url)).outdated()


async def tables_missing(url: str) -> tuple[str, ...]:
    """Returns the discovered entity types whose tables do not exist in a database."""
    return (await _state_at(url)).tables_missing


async def _state_at(url: str) -> State:
    connection = await open_session(url)
    try:
        return await state_of(connection)
    finally:
        await connection.close()


async def take_migration_lock(fetch: Callable[[str], Awaitable[Any]]) -> None:
    """Waits until no other process migrates the database; the session then holds the lock.

    `fetch` runs a statement in a transaction of its own, and returns its value. Raises ObjectFailed if another process
    takes too long.
    """
    end = time.monotonic() + LOCK_WAIT_SECONDS
    while not await fetch(_SQL["lock"]):
        if time.monotonic() > end:
            raise ObjectFailed("another process is migrating the database")
        await asyncio.sleep(0.1)


async def apply(url: str, *, lock_timeout: str) -> None:
    """Applies the objects that have changed. Those in the shared transaction are applied all together or not at all."""
    connection = await open_session(url)
    try:
        await connection.execute(f"SET lock_timeout = '{lock_timeout}'")
        await take_migration_lock(connection.fetchval)
        await connection.execute(END_OWNING)  # a migration may have been killed
        if steps := _steps(await state_of(connection)):
            try:
                await connection.execute(f"{LET_OWN}; SET ROLE {OWNER_ROLE}")
                await _run(connection, steps)
            finally:
                await connection.execute(f"RESET ROLE; {END_OWNING}")
        await connection.execute(f"SET ROLE {OWNER_ROLE}")
        await _record(connection)
    finally:
        await connection.close()


async def _run(connection: asyncpg.Connection, steps: list[Step]) -> None:
    for statement in _TABLE:
        await connection.execute(statement)
    for group in _transactions(steps):
        async with nullcontext() if group[0].transaction == "none" else connection.transaction():
            for step in group:
                await _apply(connection, step)


async def _apply(connection: asyncpg.Connection, step: Step) -> None:
    try:
        # An object that commits itself is sent alone: PostgreSQL runs several statements of a message in a transaction.
        texts = (*step.before, step.text, step.record)
        for text in texts if step.transaction == "none" else ("\n".join([*_terminated(step.before), *texts[-2:]]),):
            await connection.execute(text)
    except asyncpg.PostgresError as error:
        raise ObjectFailed(f"sql/{step.name}.sql: {error}") from error


async def _record(connection: asyncpg.Connection) -> None:
    """Records the facts of the catalog about applied objects, including new facts about those applied earlier."""
    state = await state_of(connection)
    made = {
        each.name: catalog.made_of(state.of(each)) | state.made.get(each.name, {})
        for each in objects()
        if each.name in state.objects
    }
    await connection.execute(
        _SQL["record"], list(made), [msgspec.json.encode(facts).decode() for facts in made.values()]
    )


def _terminated(statements: Sequence[str]) -> list[str]:
    return [f"{statement};" for statement in statements]


def plan(state: State) -> str:
    """Returns the SQL that `apply` would run, as a script for psql."""
    steps = _steps(state)
    if not steps:
        return ""
    parts = [f"SET ROLE {OWNER_ROLE};", *(f"{statement};" for statement in _TABLE)]
    for group in _transactions(steps):
        texts = ["\n".join([f"-- {step.what}", *_terminated(step.before), step.text, step.record]) for step in group]
        parts += texts if group[0].transaction == "none" else ["BEGIN;", *texts, "COMMIT;"]
    return "\n\n".join([*parts, "RESET ROLE;"]) + "\n"


def _steps(state: State) -> list[Step]:
    known = {each.name: each for each in objects()}
    dropped = set(_DROPS.findall(known[DROPPED].text)) if DROPPED in known else set()
    changed, unrecorded = state.changed(), state.unrecorded()
    steps = []
    for name in [*known, *(name for name in state.outdated() if name not in known)]:
        if (of := known.get(name)) is not None:
            if (action := _action(of, state, changed, unrecorded)) is None:
                continue
            before = tuple(repair for difference in changed.get(name, ()) for repair in difference.repairs)
            what = f"sql/{name}.sql is {action}."
            steps.append(Step(name, of.transaction, what, of.text.strip(), _record_statement(of), before))
        elif name in dropped:
            record = f"DELETE FROM sql_object WHERE name = '{name}';"
            steps.append(Step(name, "own", f"{name} was removed: see sql/dropped.sql.", "", record))
        else:
            raise ObjectUnknown(name=name)
    return steps


def _action(
    of: SqlObject, state: State, changed: dict[str, list[catalog.Difference]], unrecorded: set[str]
) -> str | None:
    """Returns what is done with an object, and why; None if it is up to date."""
    if of.name not in state.objects:
        return "applied for the first time"
    if state.objects[of.name] != of.hash:
        return "replaced"
    if of.name in changed:
        return f"applied again: {'; '.join(difference.what for difference in changed[of.name])}"
    return "applied again to record what it creates" if of.name in unrecorded else None


def _transactions(steps: list[Step]) -> list[list[Step]]:
    """Groups the steps by transaction: the shared one first, then one group for each other step."""
    shared = [step for step in steps if step.transaction == "shared"]
    return [*([shared] if shared else []), *([step] for step in steps if step.transaction != "shared")]


def _record_statement(of: SqlObject) -> str:
    return (
        f"INSERT INTO sql_object (name, hash) VALUES ('{of.name}', '{of.hash}')\n"
        "  ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = excluded.applied_at, made = NULL;"
    )


def _requires(text: str) -> list[str]:
    return [name.strip() for line in _REQUIRES.findall(text) for name in line.split(",")]
