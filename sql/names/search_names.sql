-- Searches the registry: by a pattern with * and ?, by all words, or by words with typing errors. Bypasses row-level security, which would
-- prevent the use of the index, and checks the campaign itself.
-- requires: names/name_condition, names/name_words, names/similarity, scope/require_scope
CREATE OR REPLACE FUNCTION search_names(p_campaign int, p_types text[], p_query text, p_mode text, p_limit int)
RETURNS TABLE (master_id bigint, rank real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  condition text;
BEGIN
  PERFORM require_scope(p_campaign);
  condition := CASE WHEN p_mode = 'pattern' THEN 'campaign_id = $1 AND name ILIKE $2'
                    ELSE name_condition(p_campaign, ARRAY(SELECT name_words(p_query)), p_mode = 'fuzzy') END;
  IF condition IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT m.id, similarity(m.name, $4) AS rank
     FROM (SELECT id, name FROM (SELECT * FROM master WHERE %s OFFSET 0) AS n
           WHERE n.campaign_id = $1 AND n.status = 1 AND ($3 IS NULL OR n.type = ANY ($3)) LIMIT 500) AS m
     ORDER BY rank DESC, m.id DESC LIMIT $5', condition)
    USING p_campaign, p_query, p_types, CASE p_mode WHEN 'pattern' THEN regexp_replace(p_query, '[%_*?\\]', ' ', 'g') ELSE p_query END, p_limit;
END $$;
COMMENT ON FUNCTION search_names(int, text[], text, text, int) IS 'Entities of one campaign by name: pattern (ILIKE), text (all words) or fuzzy (all words, one typing error each).';

REVOKE EXECUTE ON FUNCTION search_names(int, text[], text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_names(int, text[], text, text, int) TO ovasabi_app;
ALTER FUNCTION search_names(int, text[], text, text, int) OWNER TO ovasabi_search;
