-- What holds the end of the event log back.

-- name: holders
-- The transactions with a number, of any database of the server, the oldest first. A login without pg_read_all_stats does not see since when
-- those of others run. Replication slots and transactions that only read are not among them: they hold back VACUUM, not the log.
-- scope: none
SELECT pid, name, database, state, extract(epoch FROM clock_timestamp() - started_at)::float8 AS seconds
FROM (
  SELECT a.pid, NULL::text AS name, a.datname::text AS database, a.state, a.xact_start AS started_at, max(age(l.transactionid)) AS age
  FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.pid <> pg_backend_pid()
  GROUP BY a.pid, a.datname, a.state, a.xact_start
  UNION ALL SELECT NULL, gid, database, 'prepared', prepared, age(transaction) FROM pg_prepared_xacts) AS holder
ORDER BY age DESC LIMIT 5
