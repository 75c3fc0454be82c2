-- The newest events by time have the largest positions, except for those of transactions that ran at the same time.
CREATE OR REPLACE FUNCTION log_last() RETURNS xid8
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  each text;
  newest xid8[] := '{0}';
BEGIN
  FOREACH each IN ARRAY ARRAY['operational', 'analytics', 'audit'] LOOP
    newest := newest || ARRAY(SELECT xid FROM service_event WHERE stream = each ORDER BY occurred_at DESC, id DESC LIMIT 100);
  END LOOP;
  RETURN (SELECT position FROM unnest(newest) AS position ORDER BY position DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION log_last() IS 'About the largest position in the event log, of the events that the role may see.';
