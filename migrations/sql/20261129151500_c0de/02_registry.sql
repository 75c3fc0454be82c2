-- The registry's keys begin with the campaign. The indexes are built without blocking writes, and then take the place of the old ones.

-- What an interrupted run may have left.
DO $$
DECLARE
  remains regclass;
BEGIN
  FOR remains IN SELECT indexrelid FROM pg_index WHERE indrelid = 'master'::regclass AND NOT indisvalid LOOP
    CALL pg_temp.with_short_locks(format('DROP INDEX %s', remains));
  END LOOP;
END $$;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS master_by_id ON master (campaign_id, id);

-- The campaign is second here: without statistics on campaigns, an index that begins with one can seem as good for a look-up by id as the primary key.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS master_by_uuid ON master (uuid, campaign_id);

DO $$
BEGIN
  IF (SELECT cardinality(conkey) FROM pg_constraint WHERE conrelid = 'master'::regclass AND contype = 'p') = 1 THEN
    CALL pg_temp.with_short_locks('ALTER TABLE master DROP CONSTRAINT master_pkey, DROP CONSTRAINT master_uuid_key,
      ADD CONSTRAINT master_pkey PRIMARY KEY USING INDEX master_by_id, ADD CONSTRAINT master_uuid_key UNIQUE USING INDEX master_by_uuid');
  ELSE
    CALL pg_temp.with_short_locks('DROP INDEX master_by_id, master_by_uuid');
  END IF;
END $$;
