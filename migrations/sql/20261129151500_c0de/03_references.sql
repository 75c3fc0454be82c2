-- References depend on the index of the key that they were declared with: they are moved to the primary key, and the old key is dropped.
DO $$
DECLARE
  key record;
BEGIN
  FOR key IN
    SELECT c.conrelid::regclass AS target, r.relkind, c.conname,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, place)
            JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns
    FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
    WHERE c.contype = 'f' AND c.confrelid = 'master'::regclass AND c.conparentid = 0
      AND c.conindid <> (SELECT conindid FROM pg_constraint WHERE conrelid = 'master'::regclass AND contype = 'p')
    ORDER BY r.relname, c.conname LOOP
    CALL pg_temp.with_short_locks(format(
      'ALTER TABLE %1$s DROP CONSTRAINT %2$I; ALTER TABLE %1$s ADD CONSTRAINT %2$I FOREIGN KEY (%3$s) REFERENCES master %4$s',
      key.target, key.conname, key.columns, CASE key.relkind WHEN 'r' THEN 'NOT VALID' END));
  END LOOP;
END $$;

-- Checked without blocking reads or writes.
DO $$
DECLARE
  unchecked record;
BEGIN
  FOR unchecked IN
    SELECT c.conrelid::regclass AS target, c.conname FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
    WHERE NOT c.convalidated AND NOT r.relispartition AND (c.confrelid = 'master'::regclass OR c.conname = r.relname || '_platform_check')
    ORDER BY 1, 2 LOOP
    CALL pg_temp.with_short_locks(format('ALTER TABLE %s VALIDATE CONSTRAINT %I', unchecked.target, unchecked.conname));
  END LOOP;
END $$;

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 'master'::regclass AND conname = 'master_campaign_id_id_key') THEN
    CALL pg_temp.with_short_locks('ALTER TABLE master DROP CONSTRAINT master_campaign_id_id_key');
  END IF;
END $$;
