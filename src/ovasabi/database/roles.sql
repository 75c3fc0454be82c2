-- The roles of the cluster.

-- name: turn
-- One at a time: of two grants on the same object at once, PostgreSQL refuses one.
-- scope: none
SELECT pg_advisory_lock(hashtextextended('ovasabi roles', 0))

-- name: missing
-- What makes the roles that are missing. $1 roles.
-- scope: none
SELECT format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role) AS sql
FROM unnest($1::text[]) AS role WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role)

-- name: grants
-- What is not granted yet: a grant that is there already would need rights that a careful login does not have. Since PostgreSQL 16, who made
-- a role is its member, and still may not act as it. $1 owner, $2 application, $3 the role that searches.
-- scope: none
SELECT format('GRANT %I TO %I', role, session_user) AS sql FROM unnest(ARRAY[$1, $2]) AS role
WHERE NOT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(session_user, role, 'SET')
               ELSE pg_has_role(session_user, role, 'MEMBER') END
UNION ALL
SELECT format('GRANT %I TO %I', $3::text, $1::text) WHERE NOT pg_has_role($1, $3, 'MEMBER')
UNION ALL
SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I', role) FROM unnest(ARRAY[$1, $3]) AS role
WHERE NOT has_schema_privilege(role, 'public', 'CREATE')
UNION ALL
SELECT format('GRANT USAGE ON SCHEMA public TO %I', $2::text) WHERE NOT has_schema_privilege($2, 'public', 'USAGE')
UNION ALL
SELECT format('GRANT CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), $1::text)
WHERE NOT has_database_privilege($1, current_database(), 'CREATE')
