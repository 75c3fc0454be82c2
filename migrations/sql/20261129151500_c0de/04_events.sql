-- The event log's primary key begins with the campaign, and takes the place of the index on the events of an entity, too. Each month's index is
-- built before all of them are switched: by the program without blocking writes; if this file is run as a script, it blocks those of one month.
DO $$
DECLARE
  leaf record;
  switch text := '';
BEGIN
  IF EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = 'service_event'::regclass AND contype = 'p' AND cardinality(conkey) = 5) THEN
    RETURN;
  END IF;
  FOR leaf IN
    SELECT c.oid::regclass AS name, c.relname, i.indisvalid AS valid
    FROM pg_partition_tree('service_event') AS t JOIN pg_class AS c ON c.oid = t.relid
    LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(quote_ident(c.relname || '_by_entity'))
    WHERE t.isleaf ORDER BY c.relname LOOP
    IF leaf.valid IS DISTINCT FROM true THEN
      CALL pg_temp.with_short_locks(format('DROP INDEX IF EXISTS %2$I; CREATE UNIQUE INDEX %2$I ON %1$s (campaign_id, master_id, id, stream, occurred_at)',
                                           leaf.name, leaf.relname || '_by_entity'));
    END IF;
    switch := switch || format('ALTER TABLE %s ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I; ', leaf.name, leaf.relname || '_pkey', leaf.relname || '_by_entity');
  END LOOP;
  CALL pg_temp.with_short_locks(format(
    'ALTER TABLE service_event DROP CONSTRAINT service_event_pkey; DROP INDEX service_event_campaign_id_master_id_id_idx; %s
     ALTER TABLE service_event ADD CONSTRAINT service_event_pkey PRIMARY KEY (campaign_id, master_id, id, stream, occurred_at)', switch));
END $$;

DROP PROCEDURE pg_temp.with_short_locks;
