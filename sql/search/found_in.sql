-- Calls the branch's own function by name, which let_search_text has created.
-- requires: search/search_found, search/search_place
CREATE OR REPLACE FUNCTION found_in(p_place search_place, p_campaign int, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  found search_found;
BEGIN
  EXECUTE format('SELECT * FROM %I($1, $2, $3, $4, $5)', p_place.branch || '_newest') INTO found
    USING p_campaign, p_place.since, p_query, p_limit, p_reach;
  RETURN found;
END $$;
COMMENT ON FUNCTION found_in(search_place, int, tsquery, int, int) IS 'Matches among a place''s rows since its moment, the newest p_reach of them.';
