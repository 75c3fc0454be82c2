-- Search runs beyond row-level security, which would turn the GIN indexes off: the functions check the campaign themselves,
-- and belong to a role that can only read.
CREATE FUNCTION name_corrections(p_campaign int, p_word text, p_limit int) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  PERFORM require_scope(p_campaign);
  RETURN QUERY EXECUTE
    'SELECT word FROM (
       SELECT DISTINCT word
       FROM (SELECT name FROM (SELECT * FROM master WHERE name_keys(campaign_id, name) && $3 OFFSET 0) AS m
             WHERE m.campaign_id = $1 AND m.status = 1 LIMIT 60) AS named,
            name_words(named.name) AS word) AS found
     WHERE name_keys($1, word) && $3
     ORDER BY similarity(word, $2) DESC, word LIMIT $4'
    USING p_campaign, p_word, name_keys(p_campaign, p_word), p_limit;
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

-- The keys hold the campaign, so the condition stands alone behind OFFSET 0: without statistics the planner would rather
-- compute the keys of all the campaign's names than ask the index.
-- The condition that a name has all the words: as they are, or each with one typing error. Null if there is no word.
CREATE FUNCTION name_condition(p_campaign int, p_words text[], p_fuzzy boolean) RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN p_fuzzy
        THEN string_agg(format('name_keys(campaign_id, name) && %L::text[]', name_keys(p_campaign, word)), ' AND ')
        ELSE format('name_keys(campaign_id, name) @> %L::text[]', array_agg(p_campaign || ':' || word)) END
      FROM unnest(p_words) AS word HAVING count(*) > 0 $$;

-- Of what matches, only some can be ranked in time: those with the words in their name, and as many of the others.
-- The full-text index is the only way in: the campaign is one of the words, and the branch is named instead of
-- being pruned by a condition on campaign_id, which a planner with old statistics would take for selective.
CREATE FUNCTION search_table(p_campaign int, p_type text, p_query tsquery, p_words text[], p_fuzzy boolean, p_limit int, p_candidates int)
RETURNS TABLE (type text, master_id bigint, rank real, matched bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
  target entity_type;
  branch text;
  wanted tsquery := p_query;
  named bigint[] := '{}';
  condition text := name_condition(p_campaign, array_remove(p_words, NULL), p_fuzzy);
BEGIN
  PERFORM require_scope(p_campaign);
  SELECT * INTO target FROM entity_type t WHERE t.name = p_type AND t.searchable;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  branch := target.table_name;
  IF target.scope = 'campaign' THEN
    wanted := p_query && format('%L', ' ' || p_campaign)::tsquery;
    branch := format('%s_c%s', target.table_name, p_campaign);
    IF to_regclass(quote_ident(branch)) IS NULL THEN
      branch := target.table_name || '_pool';
    END IF;
  END IF;
  IF condition IS NOT NULL THEN
    EXECUTE format('SELECT ARRAY(SELECT id FROM (SELECT * FROM master WHERE %s OFFSET 0) AS m
                                 WHERE m.campaign_id = $1 AND m.type = $2 AND m.status = 1 LIMIT 100)', condition)
      INTO named USING p_campaign, p_type;
  END IF;
  RETURN QUERY EXECUTE format(
    'WITH found AS MATERIALIZED (
       SELECT master_id, search_vector FROM %1$I WHERE %3$s AND search_vector @@ $9 AND deleted_at IS NULL LIMIT $5),
     named AS (
       SELECT t.master_id, t.search_vector
       FROM unnest($6) AS n (id) CROSS JOIN LATERAL (
         SELECT master_id, search_vector FROM %2$I
         WHERE %4$s AND created_at = id_time(n.id) AND master_id = n.id AND deleted_at IS NULL
           AND created_at >= $7 AND created_at <= $8 OFFSET 0) AS t
       WHERE t.search_vector @@ $3)
     SELECT $1, h.master_id, ts_rank(h.search_vector, $3) AS rank, (SELECT count(*) FROM found) AS matched
     FROM (SELECT * FROM found UNION ALL SELECT * FROM named WHERE master_id NOT IN (SELECT master_id FROM found)) AS h
     ORDER BY rank DESC, h.master_id DESC LIMIT $4',
    branch, target.table_name,
    CASE target.scope WHEN 'global' THEN '$2 = 0' WHEN 'root' THEN '($2 = 0 OR campaign_id = $2)' ELSE 'campaign_id + 0 = $2' END,
    CASE target.scope WHEN 'global' THEN '$2 = 0' WHEN 'root' THEN '($2 = 0 OR campaign_id = $2)' ELSE 'campaign_id = $2' END)
    USING p_type, p_campaign, p_query, p_limit, p_candidates, named,
          (SELECT id_time(min(id)) FROM unnest(named) AS id), (SELECT id_time(max(id)) FROM unnest(named) AS id), wanted;
END $$;

CREATE TYPE search_hit AS (type text, master_id bigint, rank real, matched bigint, corrected boolean);

-- First the words as they are; too few of those, and p_whole (the last term as a whole word) gives way to its prefix;
-- none at all, and typing errors are forgiven.
CREATE FUNCTION search_entities(p_campaign int, p_types text[], p_terms text[], p_words text[], p_excluded text[], p_whole text, p_limit int, p_candidates int)
RETURNS SETOF search_hit
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  last int := cardinality(p_terms);
  terms text[] := p_terms;
  query tsquery;
  hits search_hit[];
BEGIN
  FOR stage IN 1..3 LOOP
    CONTINUE WHEN stage = 1 AND p_whole IS NULL;
    terms[last] := CASE stage WHEN 1 THEN p_whole ELSE p_terms[last] END;
    query := search_terms(p_campaign, terms, p_words, p_excluded, stage = 3);
    hits := ARRAY(SELECT (h.type, h.master_id, h.rank, h.matched, stage = 3)::search_hit FROM unnest(p_types) AS t (name),
                         search_table(p_campaign, t.name, query, p_words, stage = 3, p_limit, p_candidates) AS h);
    EXIT WHEN cardinality(hits) >= CASE stage WHEN 1 THEN p_limit ELSE 1 END;
  END LOOP;
  RETURN QUERY SELECT * FROM unnest(hits);
END $$;
COMMENT ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) IS
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

REVOKE EXECUTE ON FUNCTION create_month(text, date), create_dedicated(text, int), entity_exists(int, bigint, text),
  name_corrections(int, text, int), search_table(int, text, tsquery, text[], boolean, int, int), search_names(int, text[], text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_month(text, date), create_dedicated(text, int), entity_exists(int, bigint, text),
  name_corrections(int, text, int), search_table(int, text, tsquery, text[], boolean, int, int), search_names(int, text[], text, text, int) TO ovasabi_app;
ALTER FUNCTION entity_exists(int, bigint, text) OWNER TO ovasabi_search;
ALTER FUNCTION name_corrections(int, text, int) OWNER TO ovasabi_search;
ALTER FUNCTION search_table(int, text, tsquery, text[], boolean, int, int) OWNER TO ovasabi_search;
ALTER FUNCTION search_names(int, text[], text, text, int) OWNER TO ovasabi_search;
