-- Each correction is an alternative to the word as it was typed.
-- requires: names/name_corrections
CREATE OR REPLACE FUNCTION corrected_terms(p_campaign int, p_terms tsquery[], p_words text[]) RETURNS tsquery[]
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
