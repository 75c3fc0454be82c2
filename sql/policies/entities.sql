-- Every entity's table that is there already has what register_entity gives a new one. Table by table: whoever held the lock of one while
-- waiting for another would deadlock with those who write.
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
