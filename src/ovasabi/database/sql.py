"""Statements as text: the named blocks of a .sql file beside its module, and the one way to add a tenant scope.

    -- name: pending
    -- How many operations of the campaign are not finished. $1 scope, $2 campaign.
    -- scope: read
    SELECT count(*) AS number FROM operation_work AS w WHERE w.campaign_id = $2 AND scope.s IS NOT NULL

The scope is $1, in PostgreSQL's notation for an array of numbers. The statement sets it for itself alone, before it
reads anything, so that nothing remains set on the connection; see docs/decisions/0002 and 0021.
"""

import re
from enum import StrEnum
from pathlib import Path

import msgspec

SEEN = "scope.s IS NOT NULL"
"""The condition for reading rows only after the scope is set; used beside a table, or in a query FROM `scope`."""
SCOPE_FIRST = f"(SELECT scope.s FROM scope) {SEEN.removeprefix('scope.s ')}"
"""The same without a column of a table: checked once before any row, so that no join order can read a row sooner."""

_SET = "set_config('ovasabi.campaigns', $1, true)"
SET_SCOPE = f"SELECT {_SET}"
"""Sets the scope for the rest of a transaction of several statements; $1 is the scope."""
_HEADER = re.compile(r"-- (?P<name>name|scope): *(?P<value>.*)")


class Scoping(StrEnum):
    """How a statement gets its scope."""

    READ = "read"
    """By a lateral join with the scope, around the statement: for statements that only read."""
    WRITE = "write"
    """By a common table expression `scope`, the statement's first: for statements that write."""
    TRANSACTION = "transaction"
    """By the transaction of several statements that it belongs to."""
    NONE = "none"
    """Not at all: it touches no rows of a campaign."""


class Malformed(ValueError):
    """A block of SQL, or a statement, is malformed."""


def scoped(body: str, scoping: Scoping) -> str:
    """Returns a statement with its scope added; raises `Malformed` if nothing in it waits for the scope to be set."""
    body = body.strip("\n")
    match scoping:
        case Scoping.NONE | Scoping.TRANSACTION:
            return body
        case Scoping.READ if SEEN in body:
            # The lateral reference to scope.s keeps the planner from reading a table before the scope is set.
            return f"SELECT x.*\nFROM (SELECT {_SET} AS s OFFSET 0) AS scope,\nLATERAL (\n{body}\n  OFFSET 0) AS x"
        case Scoping.WRITE if SEEN in body or SCOPE_FIRST in body:
            rest = f",\n{body.removeprefix('WITH ')}" if body.startswith("WITH ") else f"\n{body}"
            return f"WITH scope AS MATERIALIZED (SELECT {_SET} AS s){rest}"
    raise Malformed(f"nothing waits for the scope, with {SEEN} or {SCOPE_FIRST}, in:\n{body}")


class Block(msgspec.Struct, frozen=True):
    """A named statement of a file, with its scope added."""

    name: str
    scoping: Scoping
    text: str


def load(module: str) -> dict[str, str]:
    """Returns the statements in the .sql file beside a module (its __file__) by name, with their scope added."""
    file = Path(module).with_suffix(".sql")
    return {block.name: block.text for block in blocks(file.read_text(encoding="utf-8"), file.name)}


def blocks(text: str, source: str) -> list[Block]:
    """Returns the statements of a text; raises `Malformed` if a block lacks a unique name, purpose, scope or text."""
    found: dict[str, Block] = {}
    for part in re.split(r"^(?=-- name:)", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        size = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
        head = {match["name"]: match["value"] for line in lines[:size] if (match := _HEADER.fullmatch(line))}
        name, body = head["name"], "\n".join(lines[size:]).strip()
        if not name.isidentifier() or name in found or head.get("scope") not in set(Scoping) or size < 3 or not body:
            raise Malformed(f"{source}: the block {name!r} needs a unique name, a purpose, a scope and a statement")
        scoping = Scoping(head["scope"])
        try:
            found[name] = Block(name, scoping, scoped(body, scoping))
        except Malformed as error:
            raise Malformed(f"{source}: {name}: {error}") from None
    return list(found.values())
