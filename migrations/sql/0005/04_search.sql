CREATE OR REPLACE FUNCTION all_of(p_terms tsquery[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
  result tsquery := coalesce(p_terms[1], '');
BEGIN
  FOR i IN 2..cardinality(p_terms) LOOP
    result := result && p_terms[i];
  END LOOP;
  RETURN result;
END $$;

CREATE FUNCTION found_in(p_place search_place, p_campaign int, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
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

CREATE FUNCTION looked_up_in(p_place search_place, p_campaign int, p_indexed tsquery, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
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

-- Three ways, by how many of the newest rows match. Many: the newest matches are taken; the index would first collect them all.
-- Less, but the rarest terms are rare or often meet the others: they alone are looked up, and the others checked at their rows.
-- Else all that is required is looked up. The index has no places: of a phrase (p_phrased) its words are looked up, and only as many
-- of their rows are read as can be in time.
CREATE FUNCTION found_of_campaign(p_place search_place, p_campaign int, p_terms tsquery[], p_phrased boolean, p_query tsquery, p_candidates int, p_sample int)
RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  common CONSTANT int := 40;  -- matches in the sample times those of the rarest term; below, the index is faster
  often CONSTANT int := 15;
  rare CONSTANT int := 2;
  scarce CONSTANT int := 5;
  reach CONSTANT int := 4000;  -- rows looked through at most, where it is not known whether they are enough
  phrases CONSTANT int := 1500;  -- rows that have all words of a phrase, looked through at most
  required tsquery := all_of(p_terms);
  counts int[];
  fewest int;
  rarest tsquery := '';
  found search_found;
BEGIN
  IF p_place.rows < p_sample THEN
    RETURN found_in(p_place, p_campaign, p_query, p_candidates, NULL);
  END IF;
  EXECUTE format('SELECT %I($1, $2, $3, $4)', p_place.branch || '_sample') INTO counts
    USING p_campaign, p_place.since, CASE p_query WHEN p_terms[1] THEN p_terms ELSE ARRAY[p_query, required] || p_terms END, p_sample;
  IF cardinality(counts) = 1 THEN
    counts := array_fill(counts[1], '{3}');
  END IF;
  fewest := counts[3];
  FOR i IN 4..cardinality(counts) LOOP
    fewest := least(fewest, counts[i]);
  END LOOP;
  IF counts[1] > rare AND counts[1] * fewest >= common THEN
    p_place.since := '-infinity';
    found := found_in(p_place, p_campaign, p_query, p_candidates, least(4 * p_candidates * p_sample / counts[1], 2 * reach));
    IF found.matched >= p_candidates THEN
      RETURN found;
    END IF;
  ELSIF p_phrased AND counts[2] >= often THEN
    p_place.since := '-infinity';
    RETURN found_in(p_place, p_campaign, p_query, p_candidates, reach);
  END IF;
  IF p_phrased THEN
    RETURN looked_up_in(p_place, p_campaign, required, p_query, p_candidates, phrases);
  END IF;
  IF p_query <> p_terms[1] AND (fewest <= rare OR counts[1] * reach >= 2 * p_candidates * fewest) THEN
    FOR i IN 1..cardinality(p_terms) LOOP
      IF counts[i + 2] <= greatest(fewest, scarce) THEN
        rarest := rarest && p_terms[i];
      END IF;
    END LOOP;
    found := looked_up_in(p_place, p_campaign, rarest, p_query, p_candidates, reach);
    IF found.matched >= p_candidates OR NOT found.more THEN
      RETURN found;
    END IF;
  END IF;
  RETURN looked_up_in(p_place, p_campaign, CASE counts[1] WHEN 0 THEN p_query ELSE required END, p_query, p_candidates, NULL);
END $$;
COMMENT ON FUNCTION found_of_campaign(search_place, int, tsquery[], boolean, tsquery, int, int) IS 'As many matches of a campaign as can be ranked in time.';

CREATE FUNCTION named_in(p_place search_place, p_campaign int, p_words text[], p_fuzzy boolean, p_query tsquery) RETURNS search_found
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

-- Of what matches, only some can be ranked in time: those with the words in their name, and as many of the others.
CREATE FUNCTION found_of_type(p_place search_place, p_campaign int, p_terms tsquery[], p_phrased boolean, p_query tsquery, p_words text[], p_fuzzy boolean, p_limit int, p_candidates int, p_sample int)
RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  found search_found;
  named search_found;
BEGIN
  IF p_place.scope = 'campaign' THEN
    found := found_of_campaign(p_place, p_campaign, p_terms, p_phrased, p_query, p_candidates, p_sample);
  ELSE
    found := looked_up_in(p_place, p_campaign, p_query, p_query, p_candidates, NULL);
  END IF;
  -- Fewer are all there are. And where enough of them rank as high as a title does, no other would rank much higher.
  IF found.matched >= p_candidates AND found.high < p_limit THEN
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

CREATE FUNCTION loosened(p_terms tsquery[]) RETURNS tsquery[]
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
  FOR i IN 1..cardinality(p_terms) LOOP
    IF strpos(p_terms[i]::text, ' <') > 0 THEN
      p_terms[i] := regexp_replace(p_terms[i]::text, ' <(-|\d+)> ', ' & ', 'g');
    END IF;
  END LOOP;
  RETURN p_terms;
END $$;
COMMENT ON FUNCTION loosened(tsquery[]) IS 'The terms, of phrases their words in any places.';

-- First the words as they are; too few of those, and p_whole (the last term as a whole word) gives way to its prefix;
-- none at all, and typing errors are forgiven.
CREATE FUNCTION search_entities(p_campaign int, p_types text[], p_terms text[], p_words text[], p_excluded text[], p_whole text, p_limit int, p_candidates int)
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
  FOR stage IN 1..3 LOOP
    CONTINUE WHEN stage = 1 AND p_whole IS NULL;
    IF stage = 3 THEN
      terms := corrected_terms(p_campaign, typed, p_words);
      EXIT WHEN terms = typed;
    ELSE
      terms[last] := CASE stage WHEN 1 THEN to_tsquery('simple', p_whole) ELSE typed[last] END;
    END IF;
    -- What is no word to the parser, such as "_", is left out.
    meant := array_remove(terms, '');
    EXIT WHEN meant = '{}';
    loose := loosened(meant);
    enough := CASE stage WHEN 1 THEN p_limit ELSE 1 END;
    FOR i IN 1..cardinality(places) LOOP
      found[i] := found_of_type(places[i], p_campaign, loose, loose <> meant, all_of(meant) && excluded, p_words, stage = 3, p_limit, p_candidates, sample);
      enough := enough - coalesce(found[i].matched, 0);
    END LOOP;
    IF enough <= 0 OR stage = 3 THEN
      FOR i IN 1..cardinality(places) LOOP
        RETURN QUERY SELECT places[i].type, m.id, m.rank, found[i].matched::bigint, stage = 3
                     FROM unnest(found[i].ids, found[i].ranks) AS m (id, rank) ORDER BY m.rank DESC, m.id DESC LIMIT p_limit;
      END LOOP;
      EXIT;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) IS
  'Full-text search over entity types of one campaign; if nothing matches, once more with typing errors forgiven.';

REVOKE EXECUTE ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) TO ovasabi_app;
ALTER FUNCTION search_entities(int, text[], text[], text[], text[], text, int, int) OWNER TO ovasabi_search;
