-- At most 100 entities: rank would not distinguish more entities with the same words in their names.
-- requires: search/search_found, search/search_place, names/name_condition
CREATE OR REPLACE FUNCTION named_in(p_place search_place, p_campaign int, p_words text[], p_fuzzy boolean, p_query tsquery) RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  names text := name_condition(p_campaign, array_remove(p_words, NULL), p_fuzzy);
  named bigint[];
  found search_found;
BEGIN
  IF names IS NULL THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT ARRAY(SELECT id FROM (SELECT * FROM master WHERE %s OFFSET 0) AS m
                               WHERE m.campaign_id = $1 AND m.type = $2 AND m.status = 1 LIMIT 100)', names)
    INTO named USING p_campaign, p_place.type;
  IF named <> '{}' THEN
    EXECUTE format('SELECT * FROM %I($1, $2, $3)', p_place.branch || '_named') INTO found USING p_campaign, named, p_query;
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION named_in(search_place, int, text[], boolean, tsquery) IS 'Matches among the entities whose name has some words.';
