-- What operations that are not finished need to be done, by whichever process: gone when they are finished.
CREATE TABLE operation_work (
  campaign_id integer NOT NULL,
  operation_id bigint NOT NULL,
  service varchar(63) NOT NULL,
  target varchar(64),
  request text NOT NULL,
  actor varchar(200) NOT NULL,
  actor_campaign_id integer NOT NULL,
  actor_role varchar(16) NOT NULL,
  correlation_id varchar(100),
  causation_id bigint,
  attempts integer NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT '-infinity',
  marker jsonb,
  so_far jsonb,
  outputs integer NOT NULL DEFAULT 0,
  cancelled_by varchar(200),
  CONSTRAINT operation_work_pkey PRIMARY KEY (campaign_id, operation_id),
  CONSTRAINT operation_work_operation_fkey FOREIGN KEY (campaign_id, operation_id) REFERENCES master (campaign_id, id)
) WITH (fillfactor = 50);
COMMENT ON TABLE operation_work IS 'Unfinished operations: what was asked, by whom, and where a process that goes on has to begin.';

-- What operations put out, to be downloaded piece by piece.
CREATE TABLE operation_output (
  campaign_id integer NOT NULL,
  operation_id bigint NOT NULL,
  number integer NOT NULL,
  data text NOT NULL,
  CONSTRAINT operation_output_pkey PRIMARY KEY (campaign_id, operation_id, number),
  CONSTRAINT operation_output_operation_fkey FOREIGN KEY (campaign_id, operation_id) REFERENCES master (campaign_id, id)
);
COMMENT ON TABLE operation_output IS 'The output of operations in pieces, until the operation is deleted.';

-- No policy lets the search role in: nobody searches here.
DO $$
DECLARE
  target text;
BEGIN
  FOREACH target IN ARRAY ARRAY['operation_work', 'operation_output'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY campaign_scope ON %I TO ovasabi_app USING (%s)', target, scope_condition('campaign'));
    EXECUTE format('CREATE POLICY owner_all ON %I TO ovasabi_owner USING (true)', target);
    CALL plan_alike(target::regclass);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON operation_work TO ovasabi_app;
GRANT SELECT, INSERT, DELETE ON operation_output TO ovasabi_app;
