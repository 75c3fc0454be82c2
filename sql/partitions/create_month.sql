-- The leaf is created as a separate table and then attached, which blocks neither readers nor writers of its siblings. Names are built from
-- the catalog, never from the caller's input, and a month is between the first ids and ten years from now, so that nobody fills the catalog.
-- The leaf's full-text index copies the parent's, which cannot have the setting of search_soon.
-- requires: ids/present_time, access/plan_alike, partitions/search_soon, events/refuse_event_change
CREATE OR REPLACE FUNCTION create_month(p_parent text, p_month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  first_day date := date_trunc('month', p_month);
  leaf text := p_parent || '_' || to_char(p_month, 'YYYYMM');
  events boolean;
  root text;
BEGIN
  SELECT r.relname INTO root FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class r ON r.oid = i.inhparent
  WHERE c.oid = to_regclass(quote_ident(p_parent)) AND c.relkind = 'p'
    AND (r.relname = 'service_event' OR r.relname IN (SELECT table_name FROM entity_type));
  IF root IS NULL THEN
    RAISE EXCEPTION 'table % holds no months', p_parent USING ERRCODE = 'OV004';
  END IF;
  IF p_month IS NULL OR p_month < '2020-01-01' OR p_month > present_time() + interval '121 months' THEN
    RAISE EXCEPTION 'table % holds no rows of %', p_parent, coalesce(to_char(p_month, 'YYYY-MM'), 'no month') USING ERRCODE = 'OV004';
  END IF;
  events := root = 'service_event';
  PERFORM pg_advisory_xact_lock(hashtextextended(leaf, 0));  -- of several concurrent sessions, one creates it
  IF to_regclass(quote_ident(leaf)) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', leaf, p_parent);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', leaf);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', leaf);
    CALL plan_alike(quote_ident(leaf)::regclass);
    CALL search_soon(quote_ident(leaf)::regclass);
    IF events THEN
      EXECUTE format('CREATE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change()', leaf);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_parent, leaf,
                   first_day::timestamp AT TIME ZONE 'UTC', (first_day + interval '1 month')::timestamp AT TIME ZONE 'UTC');
  END IF;
  RETURN leaf;
END $$;
COMMENT ON FUNCTION create_month(text, date) IS 'Makes the leaf of a month below a pool, a campaign or an event stream; does nothing if it is there.';

REVOKE EXECUTE ON FUNCTION create_month(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_month(text, date) TO ovasabi_app;
