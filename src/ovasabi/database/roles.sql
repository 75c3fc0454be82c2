-- The roles of the cluster.

-- name: lock
-- Waits until no other process creates roles: of two concurrent grants on the same object, PostgreSQL refuses one.
-- scope: none
SELECT pg_advisory_lock(hashtextextended('ovasabi roles', 0))

-- name: missing
-- The statements that create the missing roles. $1 roles.
-- scope: none
SELECT format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role) AS sql
FROM unnest($1::text[]) AS role WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role)

-- name: grants
-- The missing grants only: repeating an existing one would need rights that a restricted login does not have. Since PostgreSQL 16, the
-- creator of a role is its member, but cannot SET ROLE to it without a grant. No role but the owner creates anything, not even temporary tables,
-- which everybody may by default. $1 owner role, $2 application role, $3 search role.
-- scope: none
SELECT format('GRANT %I TO %I', role, session_user) AS sql FROM unnest(ARRAY[$1, $2]) AS role
WHERE NOT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(session_user, role, 'SET')
               ELSE pg_has_role(session_user, role, 'MEMBER') END
UNION ALL
SELECT format('GRANT %I TO %I', $3::text, $1::text) WHERE NOT pg_has_role($1, $3, 'MEMBER')
UNION ALL
SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I', $1::text) WHERE NOT has_schema_privilege($1, 'public', 'CREATE')
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA public TO %I', role) FROM unnest(ARRAY[$2, $3]) AS role
WHERE NOT has_schema_privilege(role, 'public', 'USAGE')
UNION ALL
SELECT format('GRANT CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
WHERE NOT has_database_privilege($1, current_database(), 'CREATE')
UNION ALL
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
WHERE datname = current_database()
  AND EXISTS (SELECT 1 FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0 AND privilege_type = 'TEMPORARY')

-- name: let_own
-- PostgreSQL requires it of a role at the moment when a function becomes the role's, and only then.
-- scope: none
GRANT CREATE ON SCHEMA public TO ovasabi_search

-- name: end_owning
-- Searches create nothing.
-- scope: none
REVOKE CREATE ON SCHEMA public FROM ovasabi_search

-- name: settings
-- The role of a session, and the settings on which its safety depends.
-- scope: none
SELECT current_user::text AS role, current_setting('search_path') AS path, current_setting('row_security') AS security
