-- A search reads all that waits to go into a full-text index. By default that may be 4 MB, which is read in 3 ms and more.
CREATE PROCEDURE search_soon(target regclass)
LANGUAGE plpgsql
AS $$
DECLARE
  index regclass;
BEGIN
  FOR index IN SELECT c.oid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
               WHERE i.indrelid = target AND a.amname = 'gin' AND c.relkind = 'i' LOOP
    EXECUTE format('ALTER INDEX %s SET (gin_pending_list_limit = 2048)', index);
    PERFORM gin_clean_pending_list(index);
  END LOOP;
END $$;

-- As it was, and with search_soon: the parent's index, which the leaf's is made like, cannot have the setting.
CREATE OR REPLACE FUNCTION create_month(p_parent text, p_month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  first_day date := date_trunc('month', p_month);
  leaf text := p_parent || '_' || to_char(p_month, 'YYYYMM');
  events boolean := p_parent LIKE 'service\_event\_%';
  root text;
BEGIN
  SELECT r.relname INTO root FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class r ON r.oid = i.inhparent
  WHERE c.oid = to_regclass(quote_ident(p_parent)) AND c.relkind = 'p'
    AND (r.relname = 'service_event' OR r.relname IN (SELECT table_name FROM entity_type));
  IF root IS NULL THEN
    RAISE EXCEPTION 'table % holds no months', p_parent USING ERRCODE = '42P01';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(leaf, 0));  -- of those who make it at once, one does
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

DO $$
DECLARE
  leaf regclass;
BEGIN
  FOR leaf IN SELECT DISTINCT i.indrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
              WHERE a.amname = 'gin' AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace LOOP
    CALL search_soon(leaf);
  END LOOP;
END $$;
