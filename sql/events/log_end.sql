-- All transactions before the oldest running one have ended, so a statement that starts now sees all of their events, and all of earlier epochs:
-- a new epoch begins only when the writers of the last one have ended. The epochs tell which cursors are of this log.
-- requires: events/log_position
CREATE OR REPLACE FUNCTION log_end(OUT horizon xid8, OUT epochs int[])
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  epochs := ARRAY(SELECT epoch FROM log_epoch ORDER BY epoch);
  IF epochs = '{}' THEN
    epochs := '{0}';
  END IF;
  horizon := log_position(epochs[cardinality(epochs)], pg_snapshot_xmin(pg_current_snapshot()));
END $$;
COMMENT ON FUNCTION log_end() IS 'The first position of the event log that cannot be read yet, and the epochs of the log.';
