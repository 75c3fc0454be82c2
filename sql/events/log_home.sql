-- A database restored from a dump is on another server, or has another oid on the same one; pg_upgrade changes the server, too. A server that was
-- restored to a point in time, or whose standby took over, continues on another timeline, and may use transaction numbers a second time.
CREATE OR REPLACE FUNCTION log_home(OUT server bigint, OUT database oid, OUT timeline varchar)
LANGUAGE sql STABLE
AS $$
  SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()), left(pg_walfile_name(pg_current_wal_lsn()), 8)
  FROM pg_control_system() $$;
COMMENT ON FUNCTION log_home() IS 'What identifies the server and the database: transaction numbers compare only within one home.';
