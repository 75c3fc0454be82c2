"""The state of one server's database, as `ovasabi status` shows it, and what is to be done about it."""

from contextlib import suppress
from typing import Any

import asyncpg

from ovasabi.database.sql import load
from ovasabi.lifecycle import log_epochs, log_holders, partitions, sql_objects
from ovasabi.lifecycle.revisions import DatabaseAhead, History, history

MIGRATE = "Run: ovasabi migrate"
AHEAD = "Run the version of OVASABI that has migrated the database: this one is older, or lacks its services"
_SQL = load(__file__)


async def report_of(connection: asyncpg.Connection) -> dict[str, Any]:
    """Returns the state of a database; what a database of an earlier version does not have is None."""
    state, known = await sql_objects.state_of(connection), history()
    report: dict[str, Any] = {
        "postgresql": await connection.fetchval("SHOW server_version"),
        "migration_head": ", ".join(known.heads),
        "migration_current": ", ".join(state.revisions) or None,
        "migrations_pending": _pending(known, state),
        "objects_outdated": state.outdated(),
        "objects_changed": changed(state),
        "tables_missing": list(state.tables_missing),
        "partitions_missing": None,
        "writable": await connection.fetchval(_SQL["writable"]),
        "campaigns": None,
        "leaves": None,
        "log_epoch": None,
        "log_moved": None,
        **await log_holders.state(connection.fetch),
        "server_number": None,
        "ids_ahead_seconds": None,
    }
    if report["migration_current"] is not None:
        report["leaves"] = await connection.fetchval(_SQL["leaves"])
        with suppress(asyncpg.PostgresError):  # a database of an earlier version
            report |= dict((await connection.fetch(_SQL["ids"]))[0])
            report["partitions_missing"] = await partitions.missing(connection.fetch)
        with suppress(asyncpg.PostgresError):  # what it takes to count them may be what was changed
            report["campaigns"] = await connection.fetchval(_SQL["campaigns"])
        with suppress(asyncpg.PostgresError):  # a database that is not migrated yet has no epochs
            report |= await log_epochs.state(connection)
    return report


async def ids_ahead(fetch: log_holders.Fetch) -> int:
    """Returns by how many seconds ids are ahead of the clock."""
    return int((await fetch(_SQL["ids"]))[0]["ids_ahead_seconds"])


def next_step(report: dict[str, Any]) -> str | None:
    """Returns what is to be done first about a database in such a state; None if nothing is."""
    if report["migrations_pending"] is None:
        return AHEAD
    if not report["writable"]:
        return "The database is read-only: let it accept changes, or set the URL of the primary"
    if report["migrations_pending"] or report["objects_outdated"]:
        return MIGRATE
    if report["tables_missing"]:
        return f"Run: {write_migration(report['tables_missing'])}"
    return MIGRATE if report["partitions_missing"] else None


def changed(state: sql_objects.State) -> list[str]:
    """Returns what was dropped, revoked or replaced in the database, by the file of sql/ that restores it."""
    found = state.changed().items()
    return [f"{difference.what} (sql/{name}.sql)" for name, differences in found for difference in differences]


def write_migration(tables_missing: list[str] | tuple[str, ...]) -> str:
    """Returns the command that writes a migration for an entity whose table is missing."""
    return f"ovasabi migrate --new {tables_missing[0]}"


def _pending(known: History, state: sql_objects.State) -> list[str] | None:
    """Returns the migrations that the database lacks; None if it is at one that this version does not know."""
    try:
        return known.pending(state.revisions)
    except DatabaseAhead:
        return None
