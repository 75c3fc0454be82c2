-- The database's own record of its objects and its current migrations.

-- name: state
-- The current migrations of a database, and the objects that were applied to it, as JSON text.
-- scope: none
SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num) AS revisions,
       (SELECT coalesce(json_object_agg(name, hash), '{}') FROM sql_object)::text AS objects,
       (SELECT coalesce(json_object_agg(o.name, to_json(o) -> 'made'), '{}') FROM sql_object AS o)::text AS made

-- name: tables_missing
-- The entity types whose tables do not exist. $1 their names, $2 their tables.
-- scope: none
SELECT t.name FROM unnest($1::text[], $2::text[]) AS t (name, table_name)
WHERE to_regclass(t.table_name) IS NULL ORDER BY t.name

-- name: migrated
-- Whether a database that lacks the tables of `state` was ever migrated.
-- scope: none
SELECT to_regclass('public.alembic_version') IS NOT NULL AS migrated

-- name: revisions
-- The current migrations of a database: one for each head of the applied history.
-- scope: none
SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num) AS revisions

-- name: lock
-- Whether this process may migrate: only one does at a time. It does not wait, because a waiting statement would block an index that is built
-- concurrently.
-- scope: none
SELECT pg_try_advisory_lock(hashtextextended('ovasabi migrations', 0))

-- name: table
-- The record of what was applied. Like alembic_version, it is created by the process that migrates, not by a migration.
-- scope: none
CREATE TABLE IF NOT EXISTS sql_object (
  name varchar(200) CONSTRAINT sql_object_pkey PRIMARY KEY,
  hash varchar(64) NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: column
-- The facts of the catalog after the object was applied; null until they are recorded. A table created by an earlier version lacks the column.
-- scope: none
ALTER TABLE sql_object ADD COLUMN IF NOT EXISTS made jsonb

-- name: record
-- Records the facts of objects. $1 names, $2 the facts of each.
-- scope: none
UPDATE sql_object AS o SET made = n.made::jsonb FROM unnest($1::text[], $2::text[]) AS n (name, made)
WHERE o.name = n.name AND o.made IS DISTINCT FROM n.made::jsonb

-- name: comment
-- Describes the table for people who inspect the database.
-- scope: none
COMMENT ON TABLE sql_object IS 'Which text of each function, policy and trigger was applied last.'
