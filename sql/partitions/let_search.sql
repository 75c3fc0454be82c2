-- Search reads the pool, or a campaign's own branch, directly.
-- requires: access/plan_alike, search/let_search_text
CREATE OR REPLACE PROCEDURE let_search(p_table text, p_branch text)
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('CREATE POLICY search_read ON %I FOR SELECT TO ovasabi_search USING (true)', p_branch);
  EXECUTE format('GRANT SELECT ON %I TO ovasabi_search', p_branch);
  CALL plan_alike(quote_ident(p_branch)::regclass);
  CALL let_search_text(p_table, p_branch, 'campaign');
END $$;
