-- The full-text index has no positions, so a phrase is looked up by its words.
CREATE OR REPLACE FUNCTION loosened(p_terms tsquery[]) RETURNS tsquery[]
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
