-- Chooses one of three ways, by the number of matches among the newest rows:
-- With many matches, or if every term is in at least every tenth row, it takes the newest matches, because the index would first read all
-- rows with the rarest term. With several terms, p_limit matches are then enough.
-- With fewer matches, if the rarest terms are rare or often occur with the others, it looks up only them, and checks the others in their rows.
-- Otherwise it looks up all required terms. The index has no positions: for a phrase (p_phrased) it looks up the words, and reads only as many
-- of their rows as time permits.
-- requires: search/found_in, search/looked_up_in, search/all_of
CREATE OR REPLACE FUNCTION found_of_campaign(p_place search_place, p_campaign int, p_terms tsquery[], p_phrased boolean, p_query tsquery, p_limit int, p_candidates int, p_sample int)
RETURNS search_found
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  common CONSTANT int := 40;  -- matches in the sample times those of the rarest term; below this, the index is faster
  often CONSTANT int := 10;
  several CONSTANT int := 5;
  rare CONSTANT int := 2;
  scarce CONSTANT int := 5;
  reach CONSTANT int := 4000;  -- the most rows to scan if it is unknown whether they contain enough matches
  checked CONSTANT int := 2000;  -- the most rows of the rarest terms in which the other terms are checked
  phrases CONSTANT int := 800;  -- the most rows to scan that contain all words of a phrase
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
  IF counts[1] >= several AND counts[1] * fewest >= common OR counts[1] > 0 AND fewest >= often THEN
    p_place.since := '-infinity';
    found := found_in(p_place, p_campaign, p_query, p_candidates, least(4 * p_candidates * p_sample / counts[1], reach));
    IF found.matched >= p_candidates OR p_query <> p_terms[1] AND (found.matched >= p_limit OR p_phrased AND counts[2] >= often) THEN
      found.more := true;
      RETURN found;
    END IF;
  ELSIF p_phrased AND counts[2] >= often THEN
    p_place.since := '-infinity';
    found := found_in(p_place, p_campaign, p_query, p_candidates, reach);
    found.more := true;
    RETURN found;
  END IF;
  IF p_phrased THEN
    RETURN looked_up_in(p_place, p_campaign, required, p_query, p_candidates, phrases);
  END IF;
  IF p_query <> p_terms[1] AND (fewest <= rare OR counts[1] * checked >= 2 * p_candidates * fewest) THEN
    FOR i IN 1..cardinality(p_terms) LOOP
      IF counts[i + 2] <= greatest(fewest, scarce) THEN
        rarest := rarest && p_terms[i];
      END IF;
    END LOOP;
    found := looked_up_in(p_place, p_campaign, rarest, p_query, p_candidates, checked);
    IF found.matched >= p_candidates OR NOT found.more THEN
      RETURN found;
    END IF;
  END IF;
  RETURN looked_up_in(p_place, p_campaign, CASE counts[1] WHEN 0 THEN p_query ELSE required END, p_query, p_candidates, NULL);
END $$;
COMMENT ON FUNCTION found_of_campaign(search_place, int, tsquery[], boolean, tsquery, int, int, int) IS 'As many matches of a campaign as can be ranked in time.';
