-- The append-only log of everything that happens: LIST by retention stream, then RANGE by month.
CREATE TABLE service_event (
  stream varchar(32) NOT NULL,
  occurred_at timestamptz NOT NULL,
  id bigint NOT NULL,
  campaign_id integer NOT NULL,
  master_id bigint NOT NULL,
  event_type varchar(200) NOT NULL
    CONSTRAINT service_event_event_type_check CHECK (event_type ~ '^[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:v[0-9]+:(requested|started|success|failed|completed|cancelled|timeout|compensated)$'),
  version integer,
  actor varchar(200) NOT NULL,
  correlation_id varchar(100),
  causation_id bigint,
  payload jsonb NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT service_event_pkey PRIMARY KEY (stream, occurred_at, id),
  CONSTRAINT service_event_master_fkey FOREIGN KEY (campaign_id, master_id) REFERENCES master (campaign_id, id)
) PARTITION BY LIST (stream);
COMMENT ON TABLE service_event IS 'Everything that happened to an entity, once, in the order of (xid, id). Never changed.';
CREATE INDEX service_event_campaign_id_master_id_id_idx ON service_event (campaign_id, master_id, id);
CREATE INDEX service_event_campaign_id_xid_id_idx ON service_event (campaign_id, xid, id);

CREATE FUNCTION refuse_event_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE EXCEPTION 'service_event is append-only: % is refused', TG_OP USING ERRCODE = 'OV001';
END $$;
CREATE TRIGGER service_event_append_only BEFORE UPDATE OR DELETE ON service_event
  FOR EACH ROW EXECUTE FUNCTION refuse_event_change();
CREATE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON service_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();

CREATE TABLE service_event_operational PARTITION OF service_event FOR VALUES IN ('operational') PARTITION BY RANGE (occurred_at);
CREATE TABLE service_event_analytics PARTITION OF service_event FOR VALUES IN ('analytics') PARTITION BY RANGE (occurred_at);
CREATE TABLE service_event_audit PARTITION OF service_event FOR VALUES IN ('audit') PARTITION BY RANGE (occurred_at);
