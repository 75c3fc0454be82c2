-- Bypasses row-level security, which would prevent the use of the index, and checks the campaign itself. Planned once per session. Computing
-- keys costs most, so it is limited to words that can share a key: their lengths differ by at most one, and apart from common letters,
-- neither has more than one.
-- requires: names/name_keys, names/name_words, names/similarity, scope/require_scope
CREATE OR REPLACE FUNCTION name_corrections(p_campaign int, p_word text, p_limit int) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
  keys text[] := name_keys(p_campaign, p_word);
BEGIN
  PERFORM require_scope(p_campaign);
  RETURN QUERY
    SELECT found.word FROM (
      SELECT DISTINCT w.word
      FROM (SELECT name FROM (SELECT * FROM master WHERE name_keys(campaign_id, name) && keys OFFSET 0) AS m
            WHERE m.campaign_id = p_campaign AND m.status = 1 LIMIT 60) AS named,
           name_words(named.name) AS w (word)
      WHERE length(w.word) BETWEEN length(p_word) - 1 AND length(p_word) + 1
        AND length(translate(w.word, p_word, '')) <= 1 AND length(translate(p_word, w.word, '')) <= 1 OFFSET 0) AS found
    WHERE name_keys(p_campaign, found.word) && keys
    ORDER BY similarity(found.word, p_word) DESC, found.word LIMIT p_limit;
END $$;
COMMENT ON FUNCTION name_corrections(int, text, int) IS 'Words from the campaign''s names within about one edit of a word, the most similar first.';

REVOKE EXECUTE ON FUNCTION name_corrections(int, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION name_corrections(int, text, int) TO ovasabi_app;
ALTER FUNCTION name_corrections(int, text, int) OWNER TO ovasabi_search;
