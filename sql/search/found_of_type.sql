-- Only some matches can be ranked in time: those with the words in their name, and a limited number of others.
-- requires: search/found_of_campaign, search/named_in
CREATE OR REPLACE FUNCTION found_of_type(p_place search_place, p_campaign int, p_terms tsquery[], p_phrased boolean, p_query tsquery, p_words text[], p_fuzzy boolean, p_limit int, p_candidates int, p_sample int)
RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  found search_found;
  named search_found;
BEGIN
  IF p_place.scope = 'campaign' THEN
    found := found_of_campaign(p_place, p_campaign, p_terms, p_phrased, p_query, p_limit, p_candidates, p_sample);
  ELSE
    found := looked_up_in(p_place, p_campaign, p_query, p_query, p_candidates, NULL);
  END IF;
  -- Fewer matches than p_candidates are all of them, if no rows were left unread. And if enough of them rank as high as a match in a title,
  -- no other would rank much higher.
  IF (found.matched >= p_candidates OR found.more) AND found.high < p_limit THEN
    named := named_in(p_place, p_campaign, p_words, p_fuzzy, p_query);
    FOR i IN 1..coalesce(named.matched, 0) LOOP
      IF named.ids[i] <> ALL (found.ids) THEN
        found.ids := found.ids || named.ids[i];
        found.ranks := found.ranks || named.ranks[i];
      END IF;
    END LOOP;
  END IF;
  RETURN found;
END $$;
COMMENT ON FUNCTION found_of_type(search_place, int, tsquery[], boolean, tsquery, text[], boolean, int, int, int) IS 'The matches of one type in one campaign that are to be ranked.';
