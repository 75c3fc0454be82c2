-- The transactions that are open, for logins that may not see since when.

-- name: open
-- What identifies each open transaction, and its age if it can be seen: of a prepared one. PostgreSQL's own processes have no user.
-- scope: none
SELECT l.virtualxid AS id, NULL::float8 AS seconds
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
UNION ALL SELECT 'prepared ' || transaction::text, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
