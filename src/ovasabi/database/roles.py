"""The three roles of the cluster: the owner, which runs migrations, the application role, and the search role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from ovasabi.database.session import SETTINGS, open_session
from ovasabi.database.sql import load
from ovasabi.errors import StartError

APP_ROLE = "ovasabi_app"
OWNER_ROLE = "ovasabi_owner"
SEARCH_ROLE = "ovasabi_search"

_SQL = load(__file__)
LET_OWN, END_OWNING = _SQL["let_own"], _SQL["end_owning"]
"""What lets the search role own functions, and what ends it."""


@asynccontextmanager
async def as_owner(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yields a connection in the owner's role, for what the serving processes may not do.

    Raises StartError if the login is not a member of that role.
    """
    try:
        connection = await open_session(url, role=OWNER_ROLE, statement_timeout="60s", lock_timeout="10s")
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(
            problem=f"The login in OVASABI_DATABASE_URL may only serve: it is not a member of {OWNER_ROLE}.",
            hint="Run the command with the login that runs `ovasabi migrate`.",
        ) from error
    try:
        yield connection
    finally:
        await connection.close()


async def ensure_roles(url: str) -> None:
    """Creates missing roles, grants them to the login, and grants them their rights. The first run needs CREATEROLE."""
    connection = await open_session(url)
    try:
        await connection.execute("SET lock_timeout = '60s'")
        await connection.execute(_SQL["lock"])
        for statement in await connection.fetch(_SQL["missing"], [OWNER_ROLE, APP_ROLE, SEARCH_ROLE]):
            # The lock is per database, but roles belong to the cluster: another process may have been quicker.
            with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                await connection.execute(statement["sql"])
        for statement in await connection.fetch(_SQL["grants"], OWNER_ROLE, APP_ROLE, SEARCH_ROLE):
            await connection.execute(statement["sql"])
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(
            problem="The database login is not allowed to create the roles that OVASABI needs.",
            hint="Run `ovasabi migrate` once with a login that has CREATEROLE and owns the database, or create the "
            f"roles {OWNER_ROLE}, {APP_ROLE} and {SEARCH_ROLE} and grant the first two to the login.",
        ) from error
    finally:
        await connection.close()


async def check_session(connection: asyncpg.Connection) -> None:
    """Raises StartError if a session of the application is not in the role and settings that it has asked for.

    A connection pooler may ignore what it does not know, and the session would bypass row-level security.
    """
    (row,) = await connection.fetch(_SQL["settings"])
    if (row["role"], row["path"], row["security"]) == (APP_ROLE, SETTINGS["search_path"], SETTINGS["row_security"]):
        return
    problem = f"The session is in the role {row['role']}, not {APP_ROLE}, or its settings were ignored."
    hint = "A connection pooler must pass on startup parameters: configure it, or connect to PostgreSQL directly."
    raise StartError(problem=problem, hint=hint)
