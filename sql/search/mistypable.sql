-- Words that occur in the newest rows are assumed to be correct at first, if another word occurs in none of them: correcting words that many
-- names contain costs most.
-- requires: search/search_place
CREATE OR REPLACE FUNCTION mistypable(p_places search_place[], p_campaign int, p_terms tsquery[], p_words text[], p_sample int) RETURNS text[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  unknown text[] := p_words;
  counts int[];
BEGIN
  FOR i IN 1..cardinality(p_places) LOOP
    CONTINUE WHEN p_places[i].scope <> 'campaign';
    EXECUTE format('SELECT %I($1, $2, $3, $4)', p_places[i].branch || '_sample') INTO counts
      USING p_campaign, p_places[i].since, p_terms, p_sample;
    FOR j IN 1..cardinality(p_terms) LOOP
      IF counts[j] > 0 THEN
        unknown[j] := NULL;
      END IF;
    END LOOP;
  END LOOP;
  RETURN CASE WHEN cardinality(array_remove(unknown, NULL)) = 0 THEN p_words ELSE unknown END;
END $$;
COMMENT ON FUNCTION mistypable(search_place[], int, tsquery[], text[], int) IS 'The words of a query that were likely typed wrongly, each in its place; null for the others.';
