"""What the database's catalog says about the objects of sql/, and how it differs from what was there once applied."""

import re
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.sql import load

Made = Mapping[str, str]
"""What an object made when it was applied: facts such as `grants on table lease`, and their values."""

PARTITIONS = "partitions"
"""The subject of facts that need no record: their value is what is wrong."""

_SQL = load(__file__)
_MADE = re.compile(r"^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|TYPE|TRIGGER) (\w+)", re.MULTILINE)
_TABLES = (
    re.compile(r"^CALL (?:secure|scope)_table\('(\w+)'", re.MULTILINE),
    re.compile(r"^GRANT [^;]*? ON (?:SEQUENCE )?([a-z_, ]+?) TO", re.MULTILINE),
)
_COVERS = re.compile(r"^-- covers: (\w+)$", re.MULTILINE)
_SCHEMA = re.compile(r"^GRANT [^;]*? ON SCHEMA public", re.MULTILINE)


class Fact(msgspec.Struct, frozen=True):
    """A fact of the catalog: what it is about, which object is responsible, its value, and an example that has it."""

    item: str
    subject: str
    value: str
    example: str


class Difference(msgspec.Struct, frozen=True):
    """How the catalog differs from what an object made, and what to run before that object is applied again."""

    what: str
    mend: tuple[str, ...] = ()


def subjects(name: str, text: str) -> set[str]:
    """What an object of sql/ is responsible for: functions, triggers and types that it creates, tables that it secures.

    A line such as `-- covers: partitions` names a whole group of tables.
    """
    found = {*_MADE.findall(text), *_COVERS.findall(text)}
    if name.startswith("policies/"):
        found |= {table.strip() for known in _TABLES for names in known.findall(text) for table in names.split(",")}
    return found | ({"schema public"} if _SCHEMA.search(text) else set())


async def facts(connection: asyncpg.Connection, names: Iterable[str]) -> list[Fact]:
    """The facts about the functions of these names, and about all tables; anybody may ask."""
    async with connection.transaction(readonly=True):
        await connection.execute(_SQL["path"])
        return [Fact(**row) for row in await connection.fetch(_SQL["facts"], sorted(names))]


def differences(made: Made, now: Sequence[Fact]) -> list[Difference]:
    """How the catalog differs from what an object made; that something is gone is told once."""
    found: list[Difference] = []
    gone: list[str] = []
    for item, value in sorted(made.items(), key=lambda pair: " on " in pair[0] or " of " in pair[0]):
        values = [fact for fact in now if fact.item == item]
        if not values and not any(item.endswith(f" {name}") for name in gone):
            gone.append(item)
            found.append(Difference(f"{item} is missing"))
        changes = [_changed(item, value, fact) for fact in values if not _same(value, fact.value)]
        found += [change for change in changes if change is not None]
    wrong = [fact for fact in now if fact.subject == PARTITIONS and fact.value]
    return found + [Difference(f"{fact.example}: {fact.value}") for fact in wrong]


def made_of(now: Sequence[Fact]) -> dict[str, str]:
    """What is recorded of an object that was applied. Of partitions, more are made at any time, nothing is."""
    return {fact.item: fact.value for fact in now if fact.subject != PARTITIONS}


def is_stale(made: Made, now: Sequence[Fact]) -> bool:
    """Whether an expression was recorded by another major version of PostgreSQL, which may write it differently."""
    return any(_major(value) != _major(fact.value) for item, value in made.items() for fact in now if fact.item == item)


def _same(recorded: str, now: str) -> bool:
    return recorded == now or (_major(recorded) != _major(now) and bool(_major(recorded)))


def _major(value: str) -> str:
    head, colon, _ = value.partition(":")
    return head if colon and head.isdigit() else ""


def _changed(item: str, recorded: str, fact: Fact) -> Difference | None:
    kind, _, target = item.partition(" on " if item.startswith("grants on ") else " of ")
    match kind:
        case "grants":
            return _granted(target, recorded, fact.value)
        case "owner":
            mend = ("RESET ROLE", f"ALTER {target} OWNER TO {recorded}", f"SET ROLE {OWNER_ROLE}")
            return Difference(f"{item} is {fact.value}, not {recorded}", mend)
        case "row-level security":
            return _secured(item, target, recorded, fact.value)
    return Difference(f"{fact.example} was changed")


def _granted(target: str, recorded: str, now: str) -> Difference:
    wanted, there = (set(filter(None, text.split("; "))) for text in (recorded, now))
    lacking, extra = sorted(wanted - there), sorted(there - wanted)
    parts = [f"{role} lacks {privilege}" for role, _, privilege in (grant.partition(" ") for grant in lacking)]
    parts += [f"{role} has {privilege}" for role, _, privilege in (grant.partition(" ") for grant in extra)]
    mend = [_grant("REVOKE {} ON {} FROM {}", grant, target) for grant in extra]
    mend += [_grant("GRANT {} ON {} TO {}", grant, target) for grant in lacking]
    return Difference(f"grants on {target}: {', '.join(parts)}", tuple(mend))


def _grant(statement: str, grant: str, target: str) -> str:
    role, _, privilege = grant.partition(" ")
    plain, option, _ = privilege.partition(" WITH GRANT OPTION")
    return statement.format(plain, target, role) + (option if statement.startswith("GRANT") else "")


def _secured(item: str, target: str, recorded: str, now: str) -> Difference | None:
    """What opens a table: so does a policy that is not ours, if it applies to our roles or to everybody."""
    (switches, policies), (switched, there) = (text.split("; ", 1) for text in (recorded, now))
    extra = sorted(set(filter(None, there.split(", "))) - set(policies.split(", ")))
    parts = [f"is {switched or 'disabled'}, not {switches}"] if switched != switches else []
    parts += [f"has an unknown policy {policy}" for policy in extra]
    table = target.removeprefix("table ")
    mend = tuple(f"DROP POLICY {policy} ON {table}" for policy in extra)
    # A policy of ours that is missing is a fact of its own.
    return Difference(f"{item} {' and '.join(parts)}", mend) if parts else None
