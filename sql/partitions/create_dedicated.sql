-- The branch is created as a separate table and then attached, as create_month does with leaves.
-- requires: partitions/let_search
CREATE OR REPLACE FUNCTION create_dedicated(p_table text, p_campaign int) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  branch text := format('%s_c%s', p_table, p_campaign);
BEGIN
  IF p_campaign IS NULL OR p_campaign < 1 OR NOT EXISTS (SELECT 1 FROM entity_type WHERE table_name = p_table AND scope = 'campaign') THEN
    RAISE EXCEPTION 'table % has no partitions for campaign %', p_table, p_campaign USING ERRCODE = 'OV004';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(branch, 0));
  IF to_regclass(quote_ident(branch)) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY RANGE (created_at)', branch, p_table);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', branch);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', branch);
    CALL let_search(p_table, branch);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', p_table, branch, p_campaign);
  END IF;
  RETURN branch;
END $$;
COMMENT ON FUNCTION create_dedicated(text, int) IS 'Gives a campaign partitions of its own in one table; does nothing if it has them.';

REVOKE EXECUTE ON FUNCTION create_dedicated(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_dedicated(text, int) TO ovasabi_app;
