"""The three roles of the cluster: the owner that migrates, the application, and the one that searches."""

import asyncpg

from ovasabi.database.connection import APP_ROLE, OWNER_ROLE, SEARCH_ROLE
from ovasabi.errors import StartError

_CREATE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


async def ensure_roles(url: str) -> None:
    """Creates the roles that are missing and grants them to the login and on the database; needs CREATEROLE once."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        login, database = await connection.fetchrow("SELECT session_user, quote_ident(current_database())")
        for role in (OWNER_ROLE, APP_ROLE, SEARCH_ROLE):
            await connection.execute(_CREATE.format(role=role))
        member = "SELECT pg_has_role(session_user, $1, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
        superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = session_user")
        for role in (OWNER_ROLE, APP_ROLE):
            if not superuser and not await connection.fetchval(member, role):
                await connection.execute(f"GRANT {role} TO {_quoted(login)}")
        if not await connection.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", OWNER_ROLE, SEARCH_ROLE):
            await connection.execute(f"GRANT {SEARCH_ROLE} TO {OWNER_ROLE}")
        if not await connection.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", SEARCH_ROLE):
            await connection.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER_ROLE}, {SEARCH_ROLE}")
            await connection.execute(f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO {OWNER_ROLE}")
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(
            problem="The database login may not create the roles that OVASABI needs.",
            hint=f"Run `ovasabi migrate` once with a login that has CREATEROLE and owns the database, or create the roles "
            f"{OWNER_ROLE}, {APP_ROLE} and {SEARCH_ROLE} and grant the first two to the login.",
        ) from error
    finally:
        await connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
