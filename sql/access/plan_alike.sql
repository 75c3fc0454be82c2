-- Without statistics on campaign_id the planner takes every campaign for one of 200 alike. With them, it takes one that
-- is new since the last ANALYZE for a single row, and reads all of it where a key would do.
CREATE OR REPLACE PROCEDURE plan_alike(target regclass)
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = target AND attname = 'campaign_id' AND NOT attisdropped
                                                        AND coalesce(attstattarget, -1) <> 0) THEN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN campaign_id SET STATISTICS 0', target);
  END IF;
END $$;
