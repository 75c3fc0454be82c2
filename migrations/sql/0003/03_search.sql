DROP FUNCTION search_table(int, text, tsquery, text[], boolean, int, int);
DROP FUNCTION search_terms(int, text[], text[], text[], boolean);

-- Three ways, by how many of the newest rows match. Many: the newest matches are taken; the index would first collect them all.
-- Less, but the rarest terms are rare or often meet the others: they alone are looked up, and the others checked at their rows.
-- Else all that is required is looked up. The full-text index is the only way in: the branch is named instead of being pruned by a
-- condition on campaign_id, which a planner with old statistics would take for selective; in the pool the campaign is one of the words.
CREATE FUNCTION campaign_candidates(p_campaign int, p_type text, p_table text, p_terms tsquery[], p_query tsquery, p_titled tsquery, p_candidates int) RETURNS search_candidate[]
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  sample CONSTANT int := 100;
  common CONSTANT int := 40;  -- matches in the sample times those of the rarest term; below, the index is faster
  rare CONSTANT int := 2;
  scarce CONSTANT int := 5;
  reach CONSTANT int := 4000;  -- rows looked through at most, where it is not known whether they are enough
  branch text := search_branch(p_table, p_campaign);
  here tsquery := CASE WHEN branch = p_table || '_pool' THEN format('%L', ' ' || p_campaign) ELSE '' END;
  since timestamptz := newest_since(p_campaign, p_type, sample);
  counts bigint[] := newest_matching(branch, p_campaign, since, p_query || p_terms, sample);
  fewest bigint := (SELECT min(n) FROM unnest(counts[2:]) AS n);
  rarest tsquery := all_of(ARRAY(SELECT p_terms[i] FROM generate_subscripts(p_terms, 1) AS i WHERE counts[i + 1] <= greatest(fewest, scarce)));
  chosen search_candidate[];
BEGIN
  IF counts[1] > rare AND counts[1] * fewest >= common THEN
    since := newest_since(p_campaign, p_type, least(2 * p_candidates * sample / counts[1], 2 * reach)::int);
    chosen := newest_candidates(branch, p_campaign, since, p_query, p_titled, p_candidates);
    IF cardinality(chosen) < p_candidates THEN
      chosen := NULL;
    END IF;
  ELSIF fewest <= rare OR counts[1] * reach >= 2 * p_candidates * fewest THEN
    chosen := indexed_candidates(branch, 'campaign_id + 0 = $1', p_campaign, rarest && here, p_query, p_titled, p_candidates, reach);
  END IF;
  RETURN coalesce(chosen, indexed_candidates(branch, 'campaign_id + 0 = $1', p_campaign, CASE counts[1] WHEN 0 THEN p_query ELSE all_of(p_terms) END && here,
                                             p_query, p_titled, p_candidates, NULL));
END $$;
COMMENT ON FUNCTION campaign_candidates(int, text, text, tsquery[], tsquery, tsquery, int) IS 'As many matches of a campaign as can be ranked in time.';

-- Of what matches, only some can be ranked in time: those with the words in their name, and as many of the others.
CREATE FUNCTION search_table(p_campaign int, p_type text, p_terms tsquery[], p_query tsquery, p_titled tsquery, p_words text[], p_fuzzy boolean, p_limit int, p_candidates int)
RETURNS TABLE (type text, master_id bigint, rank real, matched bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  target entity_type;
  own text;
  names text;
  chosen search_candidate[];
  count int;
BEGIN
  PERFORM require_scope(p_campaign);
  SELECT * INTO target FROM entity_type t WHERE t.name = p_type AND t.searchable;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  own := CASE target.scope WHEN 'global' THEN '$1 = 0' WHEN 'root' THEN '($1 = 0 OR campaign_id = $1)' ELSE 'campaign_id = $1' END;
  chosen := CASE WHEN target.scope = 'campaign'
                 THEN campaign_candidates(p_campaign, p_type, target.table_name, p_terms, p_query, p_titled, p_candidates)
                 ELSE indexed_candidates(target.table_name, own, p_campaign, p_query, p_query, p_titled, p_candidates, NULL) END;
  count := cardinality(chosen);
  -- Fewer are all there are. And where enough of them have the words in their weightiest text, no other would rank much higher.
  IF count >= p_candidates AND (SELECT count(*) FROM unnest(chosen) AS c WHERE c.titled) < p_limit THEN
    names := name_condition(p_campaign, array_remove(p_words, NULL), p_fuzzy);
    IF names IS NOT NULL THEN
      chosen := chosen || named_candidates(target.table_name, own, p_campaign, p_type, names, p_query);
    END IF;
  END IF;
  RETURN QUERY SELECT p_type, c.master_id, max(c.rank), count::bigint FROM unnest(chosen) AS c
               GROUP BY c.master_id ORDER BY max(c.rank) DESC, c.master_id DESC LIMIT p_limit;
END $$;
COMMENT ON FUNCTION search_table(int, text, tsquery[], tsquery, tsquery, text[], boolean, int, int) IS 'Full-text search over one entity type of one campaign.';

-- First the words as they are; too few of those, and p_whole (the last term as a whole word) gives way to its prefix;
-- none at all, and typing errors are forgiven.
CREATE OR REPLACE FUNCTION search_entities(p_campaign int, p_types text[], p_terms text[], p_words text[], p_excluded text[], p_whole text, p_limit int, p_candidates int)
RETURNS SETOF search_hit
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  last int := cardinality(p_terms);
  types text[] := inhabited_types(p_campaign, p_types);
  typed tsquery[] := ARRAY(SELECT to_tsquery('simple', p_terms[i]) FROM generate_series(1, last) AS i ORDER BY i);
  excluded tsquery := all_of(ARRAY(SELECT !! to_tsquery('simple', term) FROM unnest(p_excluded) AS term));
  titled tsquery := all_of(ARRAY(SELECT to_tsquery('simple', quote_literal(word) || ':A') FROM unnest(p_words) AS word WHERE word IS NOT NULL));
  terms tsquery[] := typed;
  meant tsquery[];
  hits search_hit[];
BEGIN
  FOR stage IN 1..3 LOOP
    CONTINUE WHEN stage = 1 AND p_whole IS NULL;
    terms[last] := CASE stage WHEN 1 THEN to_tsquery('simple', p_whole) ELSE typed[last] END;
    IF stage = 3 THEN
      terms := corrected_terms(p_campaign, typed, p_words);
      EXIT WHEN terms = typed;
      titled := '';
    END IF;
    -- What is no word to the parser, such as "_", is left out.
    meant := ARRAY(SELECT term FROM unnest(terms) AS term WHERE numnode(term) > 0);
    EXIT WHEN meant = '{}';
    hits := ARRAY(SELECT (h.type, h.master_id, h.rank, h.matched, stage = 3)::search_hit FROM unnest(types) AS t (name),
                         search_table(p_campaign, t.name, meant, all_of(meant) && excluded, titled, p_words, stage = 3, p_limit, p_candidates) AS h);
    EXIT WHEN cardinality(hits) >= CASE stage WHEN 1 THEN p_limit ELSE 1 END;
  END LOOP;
  RETURN QUERY SELECT * FROM unnest(hits);
END $$;

REVOKE EXECUTE ON FUNCTION inhabited_types(int, text[]), search_table(int, text, tsquery[], tsquery, tsquery, text[], boolean, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inhabited_types(int, text[]), search_table(int, text, tsquery[], tsquery, tsquery, text[], boolean, int, int) TO ovasabi_app;
ALTER FUNCTION inhabited_types(int, text[]) OWNER TO ovasabi_search;
ALTER FUNCTION search_table(int, text, tsquery[], tsquery, tsquery, text[], boolean, int, int) OWNER TO ovasabi_search;
