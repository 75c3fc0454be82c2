-- The security of every entity table, whatever its service.
-- requires: access/secure_table, scope/scope_condition, replication/replaced_when_copied
CREATE OR REPLACE PROCEDURE secure_entity(p_table text, p_scope text)
LANGUAGE plpgsql
AS $$
BEGIN
  CALL secure_table(quote_ident(p_table)::regclass, scope_condition(p_scope));
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO ovasabi_app', p_table);
  IF p_scope = 'global' THEN
    CALL replaced_when_copied(quote_ident(p_table)::regclass, 'master_id');
  END IF;
END $$;
COMMENT ON PROCEDURE secure_entity(text, text) IS 'Puts an entity''s table under row-level security, lets the application work with it, and rows of the platform be copied.';
