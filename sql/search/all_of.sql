-- Starts with the first term, because '' && term would copy it.
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
COMMENT ON FUNCTION all_of(tsquery[]) IS 'The query that all of some terms match.';
