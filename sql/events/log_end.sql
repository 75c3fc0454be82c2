-- All transactions before the oldest running one have ended, so a statement that starts now sees all of their events, and all of earlier epochs:
-- a new epoch begins only when the writers of the last one have ended. The epochs tell which cursors are of this log.
-- A single query without parameters: its plan is kept, also in sessions that plan each statement with its values.
-- requires: events/log_position
CREATE OR REPLACE FUNCTION log_end(OUT horizon xid8, OUT epochs int[])
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  SELECT log_position(coalesce(max(epoch), 0), pg_snapshot_xmin(pg_current_snapshot())), coalesce(array_agg(epoch), '{0}') INTO horizon, epochs
  FROM log_epoch;
END $$;
COMMENT ON FUNCTION log_end() IS 'The first position of the event log that cannot be read yet, and the epochs of the log.';
