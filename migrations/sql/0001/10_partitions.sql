-- Partitions. A leaf is made apart and attached, which blocks neither readers nor writers of its siblings.
-- Names are built here from the catalog, never taken from the caller.
CREATE FUNCTION create_month(p_parent text, p_month date) RETURNS text
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
    IF events THEN
      EXECUTE format('CREATE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change()', leaf);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_parent, leaf,
                   first_day::timestamp AT TIME ZONE 'UTC', (first_day + interval '1 month')::timestamp AT TIME ZONE 'UTC');
  END IF;
  RETURN leaf;
END $$;
COMMENT ON FUNCTION create_month(text, date) IS 'Makes the leaf of a month below a pool, a campaign or an event stream; does nothing if it is there.';

-- Search looks into the pool or a campaign's own branch directly: see search_table.
CREATE PROCEDURE let_search(p_branch text)
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('CREATE POLICY search_read ON %I FOR SELECT TO ovasabi_search USING (true)', p_branch);
  EXECUTE format('GRANT SELECT ON %I TO ovasabi_search', p_branch);
  CALL plan_alike(quote_ident(p_branch)::regclass);
END $$;

CREATE FUNCTION create_dedicated(p_table text, p_campaign int) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  branch text := format('%s_c%s', p_table, p_campaign);
BEGIN
  IF p_campaign IS NULL OR p_campaign < 1 OR NOT EXISTS (SELECT 1 FROM entity_type WHERE table_name = p_table AND scope = 'campaign') THEN
    RAISE EXCEPTION 'table % has no partitions for campaign %', p_table, p_campaign USING ERRCODE = '42P01';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(branch, 0));
  IF to_regclass(quote_ident(branch)) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY RANGE (created_at)', branch, p_table);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', branch);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', branch);
    CALL let_search(branch);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', p_table, branch, p_campaign);
  END IF;
  RETURN branch;
END $$;
COMMENT ON FUNCTION create_dedicated(text, int) IS 'Gives a campaign partitions of its own in one table; does nothing if it has them.';

-- Called once by the migration that creates an entity''s table.
CREATE PROCEDURE register_entity(p_name text, p_service text, p_table text, p_scope text, p_searchable boolean)
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO entity_type (name, service, table_name, scope, searchable)
  VALUES (p_name, p_service, p_table, p_scope, p_searchable) ON CONFLICT (name) DO NOTHING;
  CALL secure_table(p_table::regclass, scope_condition(p_scope));
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO ovasabi_app', p_table);
  IF p_scope = 'campaign' THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT PARTITION BY RANGE (created_at)', p_table || '_pool', p_table);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', p_table || '_pool');
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', p_table || '_pool');
    CALL let_search(p_table || '_pool');
  END IF;
END $$;
COMMENT ON PROCEDURE register_entity(text, text, text, text, boolean) IS 'Registers an entity and puts its table under row-level security, with a pool if it is partitioned.';
