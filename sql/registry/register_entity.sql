-- Called once, by the migration that creates an entity's table. Existing tables are updated by policies/entities.
-- requires: access/secure_entity, partitions/let_search, search/let_search_text
CREATE OR REPLACE PROCEDURE register_entity(p_name text, p_service text, p_table text, p_scope text, p_searchable boolean)
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO entity_type (name, service, table_name, scope, searchable)
  VALUES (p_name, p_service, p_table, p_scope, p_searchable) ON CONFLICT (name) DO NOTHING;
  CALL secure_entity(p_table, p_scope);
  IF p_scope = 'campaign' THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT PARTITION BY RANGE (created_at)', p_table || '_pool', p_table);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', p_table || '_pool');
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', p_table || '_pool');
    CALL let_search(p_table, p_table || '_pool');
  ELSE
    CALL let_search_text(p_table, p_table, p_scope);
  END IF;
END $$;
COMMENT ON PROCEDURE register_entity(text, text, text, text, boolean) IS 'Registers an entity and puts its table under row-level security, with a pool if it is partitioned.';
