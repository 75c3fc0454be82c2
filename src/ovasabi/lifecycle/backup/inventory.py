"""What a database holds: rows and sums of each table, sequences, extensions, roles, and what was changed by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from ovasabi.database.roles import APP_ROLE, OWNER_ROLE, SEARCH_ROLE
from ovasabi.database.sql import load
from ovasabi.lifecycle import sql_objects

ROLES = (OWNER_ROLE, APP_ROLE, SEARCH_ROLE)
_SQL = load(__file__)
# Values are hashed as text, which depends on these. With row_security off, what a policy would filter is an error.
_SESSION = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "60s",
    "search_path": "public, pg_temp",
}


class Server(msgspec.Struct, frozen=True):
    """The server of a database, and what the login can do there."""

    version: str
    major: int
    encoding: str
    sees_all: bool


class Table(msgspec.Struct, frozen=True):
    """The number of rows of a table, and the sum of their hashes as a decimal number."""

    rows: int
    sum: str


class Inventory(msgspec.Struct, frozen=True):
    """What a database holds."""

    revisions: list[str]
    """The migrations that it is at."""
    changed: list[str]
    """The objects of sql/ that are not as they were applied."""
    extensions: list[str]
    roles: list[str]
    """The roles, other than ours, that own something in it or have a privilege on it."""
    members: dict[str, list[str]]
    """The logins that are members of each of our roles."""
    sequences: dict[str, int]
    tables: dict[str, Table]


@asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connects with the settings that make two inventories comparable."""
    connection = await asyncpg.connect(url, timeout=10, server_settings=_SESSION)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


async def server_of(connection: asyncpg.Connection) -> Server:
    """Returns the server of a database."""
    (row,) = await connection.fetch(_SQL["server"])
    return Server(**row)


async def sequences_of(connection: asyncpg.Connection) -> dict[str, int]:
    """Returns how far each sequence has got at this moment: sequences are of no transaction."""
    return {row["name"]: row["value"] for row in await connection.fetch(_SQL["sequences"])}


async def inventory_of(connection: asyncpg.Connection, sequences: dict[str, int] | None = None) -> Inventory:
    """Returns what the database holds, read within the caller's transaction, with a full scan of each table.

    `sequences` is how far they had got earlier, if that is what counts.
    """
    state = await sql_objects.state_of(connection)
    members: dict[str, list[str]] = {role: [] for role in ROLES}
    for row in await connection.fetch(_SQL["members"], list(ROLES)):
        members[row["role"]].append(row["member"])
    return Inventory(
        revisions=sorted(state.revisions),
        changed=sorted(state.changed()),
        extensions=await _names(connection, _SQL["extensions"]),
        roles=[name for name in await _names(connection, _SQL["roles"]) if name not in ROLES],
        members=members,
        sequences=await sequences_of(connection) if sequences is None else sequences,
        tables={row["name"]: await _table(connection, row["sql"]) for row in await connection.fetch(_SQL["counting"])},
    )


async def objects_of(connection: asyncpg.Connection) -> list[str]:
    """Returns some of what a database already contains; nothing if it is empty."""
    return [row["label"] for row in await connection.fetch(_SQL["objects"], 3)]


async def drop_objects(connection: asyncpg.Connection) -> None:
    """Drops all that a database contains, in one transaction; its extensions remain."""
    async with connection.transaction():
        for row in await connection.fetch(_SQL["objects"], None):
            await connection.execute(row["sql"])


async def lacking(connection: asyncpg.Connection, wanted: Inventory) -> tuple[list[str], list[str]]:
    """Returns the extensions and the roles that a server lacks to hold an inventory, besides our own roles."""
    return (
        await _names(connection, _SQL["unavailable"], wanted.extensions),
        await _names(connection, _SQL["absent"], wanted.roles),
    )


async def analyse(connection: asyncpg.Connection) -> None:
    """Collects the planner's statistics, which a dump does not contain."""
    await connection.execute(_SQL["analyse"])


async def has_epochs(connection: asyncpg.Connection) -> bool:
    """Returns whether the event log of a database has epochs; in earlier versions it had none."""
    return bool(await connection.fetchval(_SQL["has_epochs"]))


async def log_end_of(connection: asyncpg.Connection) -> int | None:
    """Returns the last position that a cursor of the log can have, as the transaction sees it; None in old versions."""
    has_ends = await connection.fetchval(_SQL["has_ends"])
    end: int | None = await connection.fetchval(_SQL["log_end"]) if has_ends else None
    return end


async def moved(connection: asyncpg.Connection) -> str | None:
    """Returns why readers of the event log would miss events that another server wrote; None if they do not."""
    reason: str | None = await connection.fetchval(_SQL["moved"])
    return reason


def differences(wanted: Inventory, found: Inventory) -> list[str]:
    """Returns how a restored database differs from its original; empty if it is whole."""
    told = [
        f"{name} has {found.tables[name].rows:,} rows instead of {table.rows:,}"
        if found.tables[name].rows != table.rows
        else f"the rows of {name} are different"
        for name, table in wanted.tables.items()
        if name in found.tables and found.tables[name] != table
    ]
    told += [f"the table {name} is missing" for name in wanted.tables.keys() - found.tables.keys()]
    told += [f"{name} was changed (sql/{name}.sql)" for name in sorted(set(found.changed) - set(wanted.changed))]
    # A sequence may have moved on while its backup was made.
    told += [
        f"the sequence {n} is behind" for n, value in wanted.sequences.items() if found.sequences.get(n, -1) < value
    ]
    if wanted.revisions != found.revisions:
        told.append(f"it is at migration {', '.join(found.revisions) or 'none'}")
    return told


async def _table(connection: asyncpg.Connection, counting: str) -> Table:
    (row,) = await connection.fetch(counting)
    return Table(**row)


async def _names(connection: asyncpg.Connection, statement: str, *arguments: list[str]) -> list[str]:
    return [row["name"] for row in await connection.fetch(statement, *arguments)]
