"""The three roles of the cluster: the owner that migrates, the application, and the one that searches."""

import asyncpg

from ovasabi.errors import StartError

APP_ROLE = "ovasabi_app"
OWNER_ROLE = "ovasabi_owner"
SEARCH_ROLE = "ovasabi_search"

_CREATE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


# What is not granted yet: a grant that is there already would need rights that a careful login does not have. Since
# PostgreSQL 16, who made a role is its member, and still may not act as it.
_GRANTS = """
SELECT format('GRANT %I TO %I', role, session_user) AS sql FROM unnest(ARRAY[$1, $2]) AS role
WHERE NOT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(session_user, role, 'SET')
               ELSE pg_has_role(session_user, role, 'MEMBER') END
UNION ALL
SELECT format('GRANT %I TO %I', $3::text, $1::text) WHERE NOT pg_has_role($1, $3, 'MEMBER')
UNION ALL
SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I', role) FROM unnest(ARRAY[$1, $3]) AS role
WHERE NOT has_schema_privilege(role, 'public', 'CREATE')
UNION ALL
SELECT format('GRANT CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
WHERE NOT has_database_privilege($1, current_database(), 'CREATE')"""


async def ensure_roles(url: str) -> None:
    """Creates the roles that are missing and grants them to the login and on the database; needs CREATEROLE once."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        # One at a time: of two grants on the same object at once, PostgreSQL refuses one.
        await connection.execute("SET lock_timeout = '60s'")
        await connection.execute("SELECT pg_advisory_lock(hashtextextended('ovasabi roles', 0))")
        for role in (OWNER_ROLE, APP_ROLE, SEARCH_ROLE):
            await connection.execute(_CREATE.format(role=role))
        for statement in await connection.fetch(_GRANTS, OWNER_ROLE, APP_ROLE, SEARCH_ROLE):
            await connection.execute(statement["sql"])
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(
            problem="The database login may not create the roles that OVASABI needs.",
            hint="Run `ovasabi migrate` once with a login that has CREATEROLE and owns the database, or create the "
            f"roles {OWNER_ROLE}, {APP_ROLE} and {SEARCH_ROLE} and grant the first two to the login.",
        ) from error
    finally:
        await connection.close()
