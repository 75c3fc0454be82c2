-- Forced row-level security: the application sees the rows that satisfy the condition; the owner, which runs migrations, sees all rows.
-- Writes of other rows are refused by out_of_scope, which is called only for such a row.
-- requires: access/plan_alike, scope/out_of_scope
CREATE OR REPLACE PROCEDURE scope_table(target regclass, condition text)
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('DROP POLICY IF EXISTS campaign_scope ON %s', target);
  EXECUTE format('CREATE POLICY campaign_scope ON %1$s TO ovasabi_app USING (%2$s) WITH CHECK (CASE WHEN %2$s THEN true ELSE out_of_scope() END)',
                 target, condition);
  EXECUTE format('DROP POLICY IF EXISTS owner_all ON %s', target);
  EXECUTE format('CREATE POLICY owner_all ON %s TO ovasabi_owner USING (true)', target);
  CALL plan_alike(target);
END $$;
COMMENT ON PROCEDURE scope_table(regclass, text) IS 'Puts a table under row-level security: the application sees what a condition lets it see.';
