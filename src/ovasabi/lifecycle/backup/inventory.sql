-- What a database holds, to compare a restored one with its original.

-- name: server
-- The server, the database's encoding, and whether the login sees all rows despite row-level security.
-- scope: none
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
       pg_encoding_to_char(d.encoding) AS encoding, r.rolsuper OR r.rolbypassrls AS sees_all
FROM pg_database AS d, pg_roles AS r WHERE d.datname = current_database() AND r.rolname = current_user

-- name: counting
-- For each table with all its partitions, the statement that counts its rows and sums up their hashes: the sum does not depend on their order.
-- scope: none
SELECT c.relname::text AS name,
       format('SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS sum FROM %s AS t', c.oid::regclass) AS sql
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1

-- name: sequences
-- How far each sequence has got.
-- scope: none
SELECT sequencename::text AS name, coalesce(last_value, 0) AS value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1

-- name: extensions
-- The extensions that the database uses, other than the one of every database.
-- scope: none
SELECT extname::text AS name FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1

-- name: roles
-- The roles that own something in the database or have a privilege on it, other than those of every server.
-- scope: none
SELECT DISTINCT r.rolname::text AS name FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND r.rolname !~ '^pg_' AND NOT r.rolsuper ORDER BY 1

-- name: members
-- The logins that are members of our roles. $1 our roles.
-- scope: none
SELECT r.rolname::text AS role, m.rolname::text AS member
FROM pg_auth_members AS a JOIN pg_roles AS r ON r.oid = a.roleid JOIN pg_roles AS m ON m.oid = a.member
WHERE r.rolname = ANY ($1) AND m.rolname <> ALL ($1) AND NOT m.rolsuper GROUP BY 1, 2 ORDER BY 1, 2

-- name: objects
-- The database's own tables, functions, types and schemas, each with the statement that drops it; none if it is empty. $1 how many, or null.
-- scope: none
SELECT what || ' ' || name AS label, format('DROP %s IF EXISTS %s CASCADE', upper(what), name) AS sql FROM (
  SELECT 1, CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type'
            ELSE 'table' END, oid::regclass::text, oid, 'pg_class'::regclass FROM pg_class
  WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT relispartition
  UNION ALL SELECT 2, 'routine', oid::regprocedure::text, oid, 'pg_proc'::regclass FROM pg_proc
  UNION ALL SELECT 3, 'type', oid::regtype::text, oid, 'pg_type'::regclass FROM pg_type WHERE typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 4, 'schema', quote_ident(nspname), oid, 'pg_namespace'::regclass FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)') AS o (rank, what, name, oid, class)
WHERE o.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = class AND d.objid = o.oid AND d.deptype = 'e')
ORDER BY rank, name LIMIT $1

-- name: unavailable
-- Those extensions that the server cannot create. $1 names.
-- scope: none
SELECT u.name FROM unnest($1::text[]) AS u (name) WHERE NOT EXISTS (SELECT 1 FROM pg_available_extensions AS a WHERE a.name = u.name) ORDER BY 1

-- name: absent
-- Those roles that the server does not have. $1 names.
-- scope: none
SELECT u.name FROM unnest($1::text[]) AS u (name) WHERE NOT EXISTS (SELECT 1 FROM pg_roles AS r WHERE r.rolname = u.name) ORDER BY 1

-- name: analyse
-- Collects the planner's statistics of all tables.
-- scope: none
ANALYZE

-- name: has_epochs
-- Whether the event log has epochs.
-- scope: none
SELECT to_regprocedure('new_log_epoch(text)') IS NOT NULL AS found

-- name: has_ends
-- Whether the epochs of the event log have ends.
-- scope: none
SELECT count(*) > 0 AS found FROM pg_attribute WHERE attrelid = to_regclass('public.log_epoch') AND attname = 'last_position'

-- name: log_end
-- The last position that a cursor of the event log can have. The snapshot may contain events of transactions after its oldest running one.
-- scope: none
SELECT log_position(max(epoch), pg_snapshot_xmax(pg_current_snapshot()))::text::bigint - 1 AS log_end FROM log_epoch

-- name: moved
-- Why the event log would need another epoch, because it has positions of another server.
-- scope: none
SELECT log_moved() AS reason
