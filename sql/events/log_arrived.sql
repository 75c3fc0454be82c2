-- Called at every start, before anything is written. While events still arrive from a publisher, in the order of its commits, a reader would miss
-- those that arrive behind it.
-- requires: events/log_home, events/log_moved, events/new_log_epoch
CREATE OR REPLACE FUNCTION log_arrived() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  reason text;
  subscription text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('log_epoch', 0));  -- of several processes that start, one begins the epoch
  INSERT INTO log_epoch (epoch, server, database, timeline, reason)
    SELECT 0, home.*, 'The first epoch.' FROM log_home() AS home WHERE NOT EXISTS (SELECT FROM log_epoch);
  reason := log_moved();
  IF reason IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT s.subname INTO subscription FROM pg_subscription AS s JOIN pg_subscription_rel AS r ON r.srsubid = s.oid
  WHERE s.subenabled AND coalesce(pg_partition_root(r.srrelid), r.srrelid) = 'service_event'::regclass LIMIT 1;
  IF subscription IS NOT NULL THEN
    RAISE EXCEPTION 'events still arrive by the subscription %', quote_ident(subscription) USING ERRCODE = 'OV005';
  END IF;
  PERFORM new_log_epoch(reason);
  RETURN reason;
END $$;
COMMENT ON FUNCTION log_arrived() IS 'Begins a new epoch of the event log if it needs one; returns why.';

REVOKE EXECUTE ON FUNCTION log_arrived() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_arrived() TO ovasabi_app;
