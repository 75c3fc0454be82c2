-- The database's own record of its objects, and of the migration that it is at.

-- name: state
-- The migrations that a database is at, and the objects that were applied to it: text that JSON decodes.
-- scope: none
SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num) AS revisions,
       (SELECT coalesce(json_object_agg(name, hash), '{}') FROM sql_object)::text AS objects

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

-- name: comment
-- What it is, for who looks at it in the database.
-- scope: none
COMMENT ON TABLE sql_object IS 'Which text of each function, policy and trigger was applied last.'

-- name: grant
-- So that a login of the application alone can tell whether the database is ready for it.
-- scope: none
GRANT SELECT ON sql_object TO ovasabi_app
