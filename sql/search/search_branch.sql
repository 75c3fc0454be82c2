-- The campaign's own branch if it has one, otherwise the pool.
CREATE OR REPLACE FUNCTION search_branch(p_table text, p_campaign int) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN CASE WHEN to_regclass(quote_ident(p_table || '_c' || p_campaign)) IS NULL THEN p_table || '_pool' ELSE p_table || '_c' || p_campaign END;
END $$;
COMMENT ON FUNCTION search_branch(text, int) IS 'The partition of a table that holds a campaign''s rows.';
