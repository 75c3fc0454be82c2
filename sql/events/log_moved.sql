-- A logical copy may keep the home of its own, but has positions that its server has not reached.
-- requires: events/log_home, events/log_last, events/log_position
CREATE OR REPLACE FUNCTION log_moved() RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  kept log_epoch;
  home record;
BEGIN
  SELECT * INTO kept FROM log_epoch ORDER BY epoch DESC LIMIT 1;
  SELECT * INTO home FROM log_home();
  RETURN CASE
    WHEN kept.server <> home.server THEN 'The database is on another server.'
    WHEN kept.database <> home.database THEN 'The database was copied or restored on the same server.'
    WHEN kept.timeline <> home.timeline THEN 'The server continues on another timeline: it was restored, or its standby took over.'
    WHEN log_last() >= log_position(coalesce(kept.epoch, 0), pg_snapshot_xmax(pg_current_snapshot()))
      THEN 'The log has events from another server.' END;
END $$;
COMMENT ON FUNCTION log_moved() IS 'Why the event log needs a new epoch; null if it needs none.';
