-- Words within one edit of each other differ by one letter in length at most: asked first, since keys cost more.
CREATE OR REPLACE FUNCTION name_corrections(p_campaign int, p_word text, p_limit int) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  PERFORM require_scope(p_campaign);
  RETURN QUERY EXECUTE
    'SELECT word FROM (
       SELECT DISTINCT word
       FROM (SELECT name FROM (SELECT * FROM master WHERE name_keys(campaign_id, name) && $3 OFFSET 0) AS m
             WHERE m.campaign_id = $1 AND m.status = 1 LIMIT 60) AS named,
            name_words(named.name) AS word
       WHERE length(word) BETWEEN length($2) - 1 AND length($2) + 1) AS found
     WHERE name_keys($1, word) && $3
     ORDER BY similarity(word, $2) DESC, word LIMIT $4'
    USING p_campaign, p_word, name_keys(p_campaign, p_word), p_limit;
END $$;

CREATE FUNCTION corrected_terms(p_campaign int, p_terms tsquery[], p_words text[]) RETURNS tsquery[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  correction text;
BEGIN
  FOR i IN 1..cardinality(p_terms) LOOP
    CONTINUE WHEN p_words[i] IS NULL;
    FOR correction IN SELECT c FROM name_corrections(p_campaign, p_words[i], 5) AS c WHERE c <> p_words[i] LOOP
      p_terms[i] := p_terms[i] || plainto_tsquery('simple', correction);
    END LOOP;
  END LOOP;
  RETURN p_terms;
END $$;
COMMENT ON FUNCTION corrected_terms(int, tsquery[], text[]) IS 'The terms of a query, each with the words of the campaign''s names that its word may have been meant for.';
