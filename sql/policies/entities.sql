-- Gives every existing entity table what register_entity gives a new one. It commits after each table, because holding the lock of one table
-- while waiting for that of another would deadlock with concurrent writes.
-- requires: access/secure_entity
-- covers: entities
-- transaction: none
DO $$
DECLARE
  target entity_type;
BEGIN
  FOR target IN SELECT * FROM entity_type WHERE to_regclass(quote_ident(table_name)) IS NOT NULL ORDER BY table_name LOOP
    CALL secure_entity(target.table_name, target.scope);
    COMMIT;
  END LOOP;
END $$;
