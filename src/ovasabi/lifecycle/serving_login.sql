-- The login of the serving processes.

-- name: powers
-- Who the session has logged in as, and what that login can do or become besides serving.
-- scope: none
SELECT r.rolname::text AS name,
       array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'is a superuser' END, CASE WHEN r.rolbypassrls THEN 'has BYPASSRLS' END,
                          CASE WHEN r.rolcreaterole THEN 'has CREATEROLE' END, CASE WHEN r.rolreplication THEN 'has REPLICATION' END,
                          CASE WHEN NOT r.rolsuper THEN 'can become ' || b.names END], NULL) AS powers
FROM pg_roles AS r CROSS JOIN LATERAL (
  SELECT string_agg(o.rolname, ', ' ORDER BY o.rolname) AS names FROM pg_roles AS o
  WHERE o.rolname NOT IN (session_user, 'ovasabi_app') AND pg_has_role(session_user, o.oid, 'MEMBER')) AS b
WHERE r.rolname = session_user


-- name: making
-- The statements that make a login which is a member of the application's role alone. $1 name, $2 verifier of its password.
-- scope: none
SELECT format(CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1) THEN 'ALTER ROLE %I LOGIN PASSWORD %L'
                   ELSE 'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L' END, $1::text, $2::text) AS sql
UNION ALL
SELECT format('GRANT ovasabi_app TO %I', $1::text)
UNION ALL
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1::text)
WHERE NOT EXISTS (SELECT FROM pg_database AS d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
                  WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CONNECT')
