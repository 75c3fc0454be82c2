"""What the database's catalog says about the objects of sql/, and how that differs from the state they left behind."""

import re
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from ovasabi.database.roles import OWNER_ROLE
from ovasabi.database.sql import load

Made = Mapping[str, str]
"""The facts recorded when an object was applied, for example `grants on table lease`, and their values."""

PARTITIONS, ROLES = "partitions", "roles"
"""The subjects of facts that need no record, because their value is itself the description of a problem."""

_SQL = load(__file__)
_MADE = re.compile(r"^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|TYPE|TRIGGER) (\w+)", re.MULTILINE)
_SIGNATURE = re.compile(
    r"^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) (\w+)\((.*?)\)(?=\s*(?:RETURNS|LANGUAGE|$))", re.MULTILINE
)
_MODE = re.compile(r"^(?:IN|INOUT|VARIADIC) ")
_TABLES = (
    re.compile(r"^CALL (?:secure|scope)_table\('(\w+)'", re.MULTILINE),
    re.compile(r"^(?:GRANT|REVOKE) [^;]*? ON (?:SEQUENCE )?([a-z_, ]+?) (?:TO|FROM)", re.MULTILINE),
)
_COVERS = re.compile(r"^-- covers: (\w+)$", re.MULTILINE)
_MEMBER = re.compile(r"is a member of (.+), granted by (.+)")
_SCHEMA = re.compile(r"^GRANT [^;]*? ON SCHEMA public", re.MULTILINE)


class Fact(msgspec.Struct, frozen=True):
    """A fact of the catalog: its item, the subject that it belongs to, its value, and an example with this value."""

    item: str
    subject: str
    value: str
    example: str
    repair: str | None = None
    """For what is wrong whatever was recorded: the statements that undo it, if any does."""


class Difference(msgspec.Struct, frozen=True):
    """How the catalog differs from what was recorded, and the statements to run before the object is applied again."""

    what: str
    repairs: tuple[str, ...] = ()


def subjects(name: str, text: str) -> set[str]:
    """Returns what an object of sql/ is responsible for: what it creates, and the tables that it secures.

    A line like `-- covers: partitions` names a whole group of tables.
    """
    found = {*_MADE.findall(text), *_COVERS.findall(text)}
    if name.startswith("policies/"):
        found |= {table.strip() for known in _TABLES for names in known.findall(text) for table in names.split(",")}
    return found | ({"schema public"} if _SCHEMA.search(text) else set())


def signatures(text: str) -> set[str]:
    """Returns the functions and procedures that an object of sql/ creates, with the types of their parameters."""
    return {f"{name}({', '.join(_types(parameters))})" for name, parameters in _SIGNATURE.findall(text)}


def _types(parameters: str) -> list[str]:
    given = [each.strip() for each in parameters.split(",") if each.strip()]
    return [_MODE.sub("", each).partition(" ")[2] for each in given if not each.startswith("OUT ")]


async def facts(connection: asyncpg.Connection, texts: Mapping[str, str]) -> list[Fact]:
    """Returns the facts about what these objects create, and about all tables. It needs no privileges."""
    names = set().union(*(subjects(name, text) for name, text in texts.items()))
    functions = set().union(*(signatures(text) for text in texts.values()))
    async with connection.transaction(readonly=True):
        await connection.execute(_SQL["path"])
        rows = await connection.fetch(_SQL["facts"], sorted(names), sorted(functions))
    return [Fact(**row) for row in rows]


def differences(made: Made, now: Sequence[Fact]) -> list[Difference]:
    """Returns how the catalog differs from what was recorded. Something that is missing is reported only once."""
    wrong = [
        Difference(f"{fact.example} {fact.value}", _as_login(fact.repair)) for fact in now if fact.repair is not None
    ]
    now = [fact for fact in now if fact.repair is None]
    found: list[Difference] = []
    missing: list[str] = []
    for item, value in sorted(made.items(), key=lambda pair: " on " in pair[0] or " of " in pair[0]):
        values = [fact for fact in now if fact.item == item]
        if not values and not any(item.endswith(f" {name}") for name in missing):
            missing.append(item)
            found.append(Difference(f"{item} is missing"))
        changes = [_changed(item, value, fact) for fact in values if not _same(value, fact.value)]
        found += [change for change in changes if change is not None]
    found += [Difference(f"{fact.example}: {fact.value}") for fact in now if fact.subject == PARTITIONS and fact.value]
    return found + [_privileged(fact) for fact in now if fact.subject == ROLES] + wrong


def made_of(now: Sequence[Fact]) -> dict[str, str]:
    """Returns the facts to record for an object. Those about partitions are omitted: new ones appear at any time."""
    return {fact.item: fact.value for fact in now if fact.subject not in (PARTITIONS, ROLES) and fact.repair is None}


def is_stale(made: Made, now: Sequence[Fact]) -> bool:
    """Returns whether a fact was recorded on another major version of PostgreSQL, which may format expressions
    differently."""
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
            repairs = _as_login(f"ALTER {target} OWNER TO {recorded}")
            return Difference(f"{item} is {fact.value}, not {recorded}", repairs)
        case "row-level security":
            return _secured(item, target, recorded, fact.value)
    plural = item.startswith("search functions ")
    return Difference(f"{'the ' if plural else ''}{fact.example} {'were' if plural else 'was'} changed")


def _as_login(statement: str) -> tuple[str, ...]:
    """Returns the statements that run others as the login, since the owner role may lack the right to."""
    return ("RESET ROLE", statement, f"SET ROLE {OWNER_ROLE}") if statement else ()


def _privileged(fact: Fact) -> Difference:
    """Returns a privilege of one of our roles by which no policy binds it."""
    role, member = fact.item.removeprefix("role "), _MEMBER.fullmatch(fact.value)
    if member is None:
        repair = f"ALTER ROLE {role} NO{fact.value.removeprefix('has ')}"
    else:
        repair = f"REVOKE {member[1]} FROM {role} GRANTED BY {member[2]}"
    return Difference(f"{fact.item} {fact.value}", _as_login(repair))


def _granted(target: str, recorded: str, now: str) -> Difference:
    expected, actual = (set(filter(None, text.split("; "))) for text in (recorded, now))
    lacking, extra = sorted(expected - actual), sorted(actual - expected)
    parts = [f"{role} lacks {privilege}" for role, _, privilege in (grant.partition(" ") for grant in lacking)]
    parts += [f"{role} has {privilege}" for role, _, privilege in (grant.partition(" ") for grant in extra)]
    if target == "schema public" and extra:
        repairs = list(_as_login("REVOKE CREATE ON SCHEMA public FROM PUBLIC, ovasabi_app"))
    else:
        repairs = [_grant("REVOKE {} ON {} FROM {}", grant, target) for grant in extra]
    repairs += [_grant("GRANT {} ON {} TO {}", grant, target) for grant in lacking]
    return Difference(f"grants on {target}: {', '.join(parts)}", tuple(repairs))


def _grant(statement: str, grant: str, target: str) -> str:
    role, _, privilege = grant.partition(" ")
    plain, option, _ = privilege.partition(" WITH GRANT OPTION")
    return statement.format(plain, target, role) + (option if statement.startswith("GRANT") else "")


def _secured(item: str, target: str, recorded: str, now: str) -> Difference | None:
    """Returns what weakens the security of a table, including an unknown policy for our roles or for PUBLIC."""
    (expected, policies), (actual, actual_policies) = (text.split("; ", 1) for text in (recorded, now))
    extra = sorted(set(filter(None, actual_policies.split(", "))) - set(policies.split(", ")))
    parts = [f"is not {word}" for word in expected.split(", ") if word not in actual]
    parts += [f"has an unknown policy {policy}" for policy in extra]
    table = target.removeprefix("table ")
    repairs = tuple(f"DROP POLICY {policy} ON {table}" for policy in extra)
    # A missing policy of our own is reported as a separate fact.
    return Difference(f"{item} {' and '.join(parts)}", repairs) if parts else None
