-- First searches for the exact words. If there are too few matches, the last term is searched as a prefix instead of a whole word (p_whole).
-- If there are none, typing errors are tolerated: first in words that are likely mistyped, then in all words.
-- requires: search/search_hit, search/search_places, search/corrected_terms, search/mistypable, search/loosened, search/found_of_type, scope/require_scope
CREATE OR REPLACE FUNCTION search_entities(p_campaign int, p_types text[], p_terms text[], p_words text[], p_excluded text[], p_whole text, p_limit int, p_candidates int)
RETURNS SETOF search_hit
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
  sample CONSTANT int := 100;
  last int := cardinality(p_terms);
  places search_place[];
  typed tsquery[];
  excluded tsquery := '';
  terms tsquery[];
  meant tsquery[];
  loose tsquery[];
  found search_found[];
  unsure text[];
  enough int;
BEGIN
  PERFORM require_scope(p_campaign);
  places := search_places(p_campaign, p_types, sample);
  FOR i IN 1..last LOOP
    typed[i] := to_tsquery('simple', p_terms[i]);
  END LOOP;
  FOR i IN 1..cardinality(p_excluded) LOOP
    excluded := excluded && !! to_tsquery('simple', p_excluded[i]);
  END LOOP;
  terms := typed;
  FOR stage IN 1..4 LOOP
    CONTINUE WHEN stage = 1 AND p_whole IS NULL;
    IF stage >= 3 THEN
      EXIT WHEN unsure = p_words;
      unsure := CASE stage WHEN 3 THEN mistypable(places, p_campaign, typed, p_words, sample) ELSE p_words END;
      terms := corrected_terms(p_campaign, typed, unsure);
      CONTINUE WHEN terms = typed;
    ELSE
      terms[last] := CASE stage WHEN 1 THEN to_tsquery('simple', p_whole) ELSE typed[last] END;
    END IF;
    -- Terms in which the parser finds no word, for example "_", are omitted.
    meant := array_remove(terms, '');
    EXIT WHEN meant = '{}';
    loose := loosened(meant);
    enough := CASE stage WHEN 1 THEN p_limit ELSE 1 END;
    FOR i IN 1..cardinality(places) LOOP
      found[i] := found_of_type(places[i], p_campaign, loose, loose <> meant, all_of(meant) && excluded, p_words, stage >= 3, p_limit, p_candidates, sample);
      enough := enough - coalesce(found[i].matched, 0);
    END LOOP;
    IF enough <= 0 THEN
      FOR i IN 1..cardinality(places) LOOP
        RETURN QUERY SELECT places[i].type, m.id, m.rank, found[i].matched::bigint, stage >= 3
                     FROM unnest(found[i].ids, found[i].ranks) AS m (id, rank) ORDER BY m.rank DESC, m.id DESC LIMIT p_limit;
      END LOOP;
      EXIT;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) IS
  'Full-text search over entity types of one campaign; if nothing matches, it is repeated with typo correction.';

REVOKE EXECUTE ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) TO ovasabi_app;
ALTER FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) OWNER TO ovasabi_search;
