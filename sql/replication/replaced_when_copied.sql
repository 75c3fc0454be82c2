-- The tables whose rows logical replication brings from home have this trigger, which fires for nothing else.
-- requires: replication/replace_copied
CREATE OR REPLACE PROCEDURE replaced_when_copied(target regclass, key text)
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER replace_copied BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION replace_copied(%s)', target, key);
  EXECUTE format('ALTER TABLE %s ENABLE REPLICA TRIGGER replace_copied', target);
END $$;
COMMENT ON PROCEDURE replaced_when_copied(regclass, text) IS 'Lets rows that logical replication brings replace those with the same key, whose columns are given.';
