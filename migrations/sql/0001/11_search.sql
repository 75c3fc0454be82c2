-- Search runs beyond row-level security, which would turn the GIN indexes off: the functions check the campaign themselves,
-- and belong to a role that can only read.
CREATE FUNCTION name_corrections(p_campaign int, p_word text, p_limit int) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  PERFORM require_scope(p_campaign);
  RETURN QUERY EXECUTE
    'WITH wanted AS MATERIALIZED (SELECT array_agg(key) AS keys FROM word_keys($2) AS key)
     SELECT word FROM (
       SELECT DISTINCT word
       FROM wanted, (SELECT name FROM master
                     WHERE name_keys(campaign_id, name) && ARRAY(SELECT $1 || '':'' || key FROM word_keys($2) AS key)
                       AND campaign_id = $1 AND status = 1 LIMIT 60) AS named,
            name_words(named.name) AS word
       WHERE EXISTS (SELECT 1 FROM word_keys(word) AS key WHERE key = ANY (wanted.keys))) AS found
     ORDER BY similarity(word, $2) DESC, word LIMIT $3'
    USING p_campaign, p_word, p_limit;
END $$;
COMMENT ON FUNCTION name_corrections(int, text, int) IS 'Words from the campaign''s names within about one edit of a word, the most similar first.';

-- p_terms are tsquery texts that must all match; p_words has, at the same place, the bare word of a term, or null.
CREATE FUNCTION search_terms(p_campaign int, p_terms text[], p_words text[], p_excluded text[], p_correct boolean) RETURNS tsquery
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  result tsquery;
  term tsquery;
  correction text;
BEGIN
  FOR i IN 1..cardinality(p_terms) LOOP
    term := to_tsquery('simple', p_terms[i]);
    IF p_correct AND p_words[i] IS NOT NULL THEN
      FOR correction IN SELECT name_corrections(p_campaign, p_words[i], 5) LOOP
        term := term || plainto_tsquery('simple', correction);
      END LOOP;
    END IF;
    result := coalesce(result && term, term);
  END LOOP;
  FOR i IN 1..coalesce(cardinality(p_excluded), 0) LOOP
    result := result && !! to_tsquery('simple', p_excluded[i]);
  END LOOP;
  RETURN result;
END $$;

CREATE FUNCTION search_table(p_campaign int, p_type text, p_query tsquery, p_limit int, p_candidates int)
RETURNS TABLE (type text, master_id bigint, rank real, matched bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  target entity_type;
BEGIN
  PERFORM require_scope(p_campaign);
  SELECT * INTO target FROM entity_type t WHERE t.name = p_type AND t.searchable;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT $1, h.master_id, ts_rank(h.search_vector, $3) AS rank, count(*) OVER () AS matched
     FROM (SELECT master_id, search_vector FROM %I
           WHERE %s AND search_vector @@ $3 AND deleted_at IS NULL LIMIT $5) AS h
     ORDER BY rank DESC, h.master_id DESC LIMIT $4',
    target.table_name, CASE target.scope WHEN 'global' THEN '$2 = 0' ELSE 'campaign_id = $2' END)
    USING p_type, p_campaign, p_query, p_limit, p_candidates;
END $$;

CREATE FUNCTION search_entities(p_campaign int, p_types text[], p_terms text[], p_words text[], p_excluded text[], p_limit int, p_candidates int)
RETURNS TABLE (type text, master_id bigint, rank real, matched bigint, corrected boolean)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  exact tsquery := search_terms(p_campaign, p_terms, p_words, p_excluded, false);
  relaxed tsquery;
BEGIN
  RETURN QUERY SELECT s.*, false FROM unnest(p_types) AS t (name), search_table(p_campaign, t.name, exact, p_limit, p_candidates) AS s;
  IF NOT FOUND THEN
    relaxed := search_terms(p_campaign, p_terms, p_words, p_excluded, true);
    IF relaxed <> exact THEN
      RETURN QUERY SELECT s.*, true FROM unnest(p_types) AS t (name), search_table(p_campaign, t.name, relaxed, p_limit, p_candidates) AS s;
    END IF;
  END IF;
END $$;
COMMENT ON FUNCTION search_entities(int, text[], text[], text[], text[], int, int) IS
  'Full-text search over entity types of one campaign; if nothing matches, once more with typing errors forgiven.';

-- The registry: a pattern with * and ?, all words of a full text, or words with typing errors.
CREATE FUNCTION search_names(p_campaign int, p_types text[], p_query text, p_mode text, p_limit int)
RETURNS TABLE (master_id bigint, rank real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  condition text;
BEGIN
  PERFORM require_scope(p_campaign);
  IF p_mode = 'pattern' THEN
    condition := 'name ILIKE $2';
  ELSIF p_mode = 'fuzzy' THEN
    SELECT string_agg(format('name_keys(campaign_id, name) && %L::text[]', ARRAY(SELECT p_campaign || ':' || key FROM word_keys(word) AS key)), ' AND ')
    INTO condition FROM name_words(p_query) AS word;
  ELSE
    SELECT format('name_keys(campaign_id, name) @> %L::text[]', array_agg(p_campaign || ':' || word))
    INTO condition FROM name_words(p_query) AS word HAVING count(*) > 0;
  END IF;
  IF condition IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE format(
    'SELECT m.id, similarity(m.name, $4) AS rank
     FROM (SELECT id, name FROM master WHERE campaign_id = $1 AND status = 1 AND ($3 IS NULL OR type = ANY ($3)) AND %s LIMIT 500) AS m
     ORDER BY rank DESC, m.id DESC LIMIT $5', condition)
    USING p_campaign, p_query, p_types, CASE p_mode WHEN 'pattern' THEN regexp_replace(p_query, '[%_*?\\]', ' ', 'g') ELSE p_query END, p_limit;
END $$;
COMMENT ON FUNCTION search_names(int, text[], text, text, int) IS 'Entities of one campaign by name: pattern (ILIKE), text (all words) or fuzzy (all words, one typing error each).';

REVOKE EXECUTE ON FUNCTION create_month(text, date), create_dedicated(text, int), entity_exists(int, bigint, text),
  name_corrections(int, text, int), search_table(int, text, tsquery, int, int), search_names(int, text[], text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_month(text, date), create_dedicated(text, int), entity_exists(int, bigint, text),
  name_corrections(int, text, int), search_table(int, text, tsquery, int, int), search_names(int, text[], text, text, int) TO ovasabi_app;
ALTER FUNCTION entity_exists(int, bigint, text) OWNER TO ovasabi_search;
ALTER FUNCTION name_corrections(int, text, int) OWNER TO ovasabi_search;
ALTER FUNCTION search_table(int, text, tsquery, int, int) OWNER TO ovasabi_search;
ALTER FUNCTION search_names(int, text[], text, text, int) OWNER TO ovasabi_search;
