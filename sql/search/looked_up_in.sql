-- Calls the branch's own function by name, which let_search_text has created.
-- requires: search/search_found, search/search_place
CREATE OR REPLACE FUNCTION looked_up_in(p_place search_place, p_campaign int, p_indexed tsquery, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  found search_found;
BEGIN
  EXECUTE format('SELECT * FROM %I($1, $2, $3, $4, $5, $6)', p_place.branch || '_lookup') INTO found
    USING p_campaign, p_place.here, p_indexed, p_query, p_limit, p_reach;
  RETURN found;
END $$;
COMMENT ON FUNCTION looked_up_in(search_place, int, tsquery, tsquery, int, int) IS
  'Matches of a query among the rows, at most p_reach, that the full-text index has for a part of it.';
