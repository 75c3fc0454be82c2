-- Searches and returns the entities found in one statement. It uses functions, so that no table has to be planned each time.
-- requires: search/let_search_text, search/search_branch, scope/require_scope
CREATE OR REPLACE FUNCTION found_entities(p_campaign int, p_like anyelement, p_ids bigint[]) RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  branch text;
BEGIN
  PERFORM require_scope(p_campaign);
  SELECT CASE scope WHEN 'campaign' THEN search_branch(table_name, p_campaign) ELSE table_name END INTO branch
  FROM entity_type t WHERE t.table_name = pg_typeof(p_like)::text AND t.searchable;
  IF p_ids <> '{}' THEN
    RETURN QUERY EXECUTE format('SELECT * FROM %I($1, $2)', branch || '_rows') USING p_campaign, p_ids;
  END IF;
END $$;
COMMENT ON FUNCTION found_entities(int, anyelement, bigint[]) IS 'The rows of a campaign with some ids, of the searchable table that p_like is a row of.';

REVOKE EXECUTE ON FUNCTION found_entities(int, anyelement, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION found_entities(int, anyelement, bigint[]) TO ovasabi_app;
ALTER FUNCTION found_entities(int, anyelement, bigint[]) OWNER TO ovasabi_search;
