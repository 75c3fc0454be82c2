-- References to entities of the platform named them by id alone. Now they also name the platform's campaign, 0, in a column of the referring table.

-- Waits for each lock only briefly, so that no other session queues behind it for long, and tries again.
CREATE OR REPLACE PROCEDURE pg_temp.with_short_locks(statements text)
LANGUAGE plpgsql
AS $$
DECLARE
  done boolean := false;
BEGIN
  FOR attempt IN 1..100 LOOP
    BEGIN
      PERFORM set_config('lock_timeout', '200ms', true);
      EXECUTE statements;
      done := true;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      IF attempt = 100 THEN
        RAISE;
      END IF;
    END;
    COMMIT;
    EXIT WHEN done;
    PERFORM pg_sleep(0.1 + 0.2 * random());
  END LOOP;
END $$;

DO $$
DECLARE
  key record;
  strangers bigint;
BEGIN
  FOR key IN
    SELECT c.conrelid::regclass AS target, r.relname, r.relkind, c.conname, a.attname
    FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.contype = 'f' AND c.confrelid = 'master'::regclass AND c.conparentid = 0 AND cardinality(c.conkey) = 1
    ORDER BY r.relname, c.conname LOOP
    IF key.relname = 'idempotency' THEN
      CALL pg_temp.with_short_locks(format('ALTER TABLE idempotency DROP CONSTRAINT %I', key.conname));
      CONTINUE;
    END IF;
    -- Checked here: the owner sees no rows of a partition that is read by itself, so PostgreSQL's own check would find nothing there.
    EXECUTE format('SELECT count(*) FROM %1$s AS s WHERE s.%2$I IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM master AS m WHERE m.campaign_id = 0 AND m.id = s.%2$I)', key.target, key.attname) INTO strangers;
    IF strangers > 0 THEN
      RAISE EXCEPTION '% rows of % refer in % to entities that are not of the platform', strangers, key.target, key.attname
        USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = key.target AND attname = 'platform_campaign_id') THEN
      CALL pg_temp.with_short_locks(format(
        'ALTER TABLE %1$s ADD COLUMN platform_campaign_id integer NOT NULL DEFAULT 0,
                          ADD CONSTRAINT %2$I CHECK (platform_campaign_id = 0) NOT VALID', key.target, key.relname || '_platform_check'));
    END IF;
    -- One with partitions cannot be NOT VALID before PostgreSQL 18; the rows were just checked.
    CALL pg_temp.with_short_locks(format(
      'ALTER TABLE %1$s DROP CONSTRAINT %2$I;
       ALTER TABLE %1$s ADD CONSTRAINT %2$I FOREIGN KEY (platform_campaign_id, %3$I) REFERENCES master (campaign_id, id) %4$s',
      key.target, key.conname, key.attname, CASE key.relkind WHEN 'r' THEN 'NOT VALID' END));
  END LOOP;
END $$;
