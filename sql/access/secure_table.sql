-- Search bypasses the scope with a role that can only read; its functions check the campaign themselves.
-- requires: access/scope_table
CREATE OR REPLACE PROCEDURE secure_table(target regclass, condition text)
LANGUAGE plpgsql
AS $$
BEGIN
  CALL scope_table(target, condition);
  EXECUTE format('DROP POLICY IF EXISTS search_read ON %s', target);
  EXECUTE format('CREATE POLICY search_read ON %s FOR SELECT TO ovasabi_search USING (true)', target);
  EXECUTE format('GRANT SELECT ON %s TO ovasabi_search', target);
END $$;
COMMENT ON PROCEDURE secure_table(regclass, text) IS 'As scope_table, and lets searches read the table.';
