-- The database's own record of its objects, and of the migration that it is at.

-- name: state
-- The migrations that a database is at, and the objects that were applied to it: text that JSON decodes.
-- scope: none
SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num) AS revisions,
       (SELECT coalesce(json_object_agg(name, hash), '{}') FROM sql_object)::text AS objects,
       (SELECT coalesce(json_object_agg(o.name, to_json(o) -> 'made'), '{}') FROM sql_object AS o)::text AS made

-- name: migrated
-- Whether a database that lacks the tables of `state` was ever migrated.
-- scope: none
SELECT to_regclass('public.alembic_version') IS NOT NULL AS migrated

-- name: revisions
-- The migrations that a database is at: one for each end of the history that was applied.
-- scope: none
SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num) AS revisions

-- name: turn
-- One at a time: a second process waits here, then finds nothing left to do.
-- scope: none
SELECT pg_advisory_lock(hashtextextended('ovasabi migrations', 0))

-- name: table
-- The record of what was applied: as alembic_version is, it is made by whoever migrates, and by no migration.
-- scope: none
CREATE TABLE IF NOT EXISTS sql_object (
  name varchar(200) CONSTRAINT sql_object_pkey PRIMARY KEY,
  hash varchar(64) NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: column
-- What the catalog said once it was applied; null until that is recorded. A table made by an earlier version lacks it.
-- scope: none
ALTER TABLE sql_object ADD COLUMN IF NOT EXISTS made jsonb

-- name: record
-- Records what objects made. $1 names, $2 what each made.
-- scope: none
UPDATE sql_object AS o SET made = n.made::jsonb FROM unnest($1::text[], $2::text[]) AS n (name, made)
WHERE o.name = n.name AND o.made IS DISTINCT FROM n.made::jsonb

-- name: comment
-- What it is, for who looks at it in the database.
-- scope: none
COMMENT ON TABLE sql_object IS 'Which text of each function, policy and trigger was applied last.'
