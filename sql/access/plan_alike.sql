-- Without statistics on campaign_id, the planner assumes 200 campaigns of equal size. With them, it expects a single row for a campaign
-- created since the last ANALYZE, and then reads all of its rows instead of using a key.
CREATE OR REPLACE PROCEDURE plan_alike(target regclass)
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = target AND attname = 'campaign_id' AND NOT attisdropped
                                                        AND coalesce(attstattarget, -1) <> 0) THEN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN campaign_id SET STATISTICS 0', target);
  END IF;
END $$;
