-- The transactions that are open: those that hold the end of the event log back, and the oldest one.

-- name: holders
-- The transactions with a number, of any database of the server, the oldest first. A login without pg_read_all_stats does not see since when
-- those of others run. Replication slots and transactions that only read are not among them: they hold back VACUUM, not the log.
-- scope: none
SELECT pid, name, database, login, application, state, extract(epoch FROM clock_timestamp() - started_at)::float8 AS seconds
FROM (
  SELECT a.pid, NULL::text AS name, a.datname::text AS database, a.usename::text AS login, a.application_name AS application, a.state,
         a.xact_start AS started_at, max(age(l.transactionid)) AS age
  FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.pid <> pg_backend_pid()
  GROUP BY a.pid, a.datname, a.usename, a.application_name, a.state, a.xact_start
  UNION ALL SELECT NULL, gid, database::text, owner::text, NULL, 'prepared', prepared, age(transaction) FROM pg_prepared_xacts) AS holder
ORDER BY age DESC LIMIT 5

-- name: oldest
-- The transaction that has been open the longest, of any database of the server, also if it only reads: it holds back VACUUM. Of sessions of others, a
-- login without pg_read_all_stats sees none. A VACUUM of PostgreSQL's own takes its time, and holds nothing back.
-- scope: none
SELECT pid, name, database, login, application, state, extract(epoch FROM clock_timestamp() - started_at)::float8 AS seconds
FROM (
  SELECT pid, NULL::text AS name, datname::text AS database, usename::text AS login, application_name AS application, state, xact_start AS started_at
  FROM pg_stat_activity
  WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'autovacuum worker'
  UNION ALL SELECT NULL, gid, database::text, owner::text, NULL, 'prepared', prepared FROM pg_prepared_xacts) AS open_transaction
ORDER BY started_at LIMIT 1
