-- A search reads all that waits to go into a full-text index. By default that may be 4 MB, which is read in 3 ms and more.
CREATE OR REPLACE PROCEDURE search_soon(target regclass)
LANGUAGE plpgsql
AS $$
DECLARE
  index regclass;
BEGIN
  FOR index IN SELECT c.oid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
               WHERE i.indrelid = target AND a.amname = 'gin' AND c.relkind = 'i' LOOP
    EXECUTE format('ALTER INDEX %s SET (gin_pending_list_limit = 2048)', index);
    PERFORM gin_clean_pending_list(index);
  END LOOP;
END $$;

-- Leaves that are there and have another setting.
DO $$
DECLARE
  leaf regclass;
BEGIN
  FOR leaf IN SELECT DISTINCT i.indrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
              WHERE a.amname = 'gin' AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace
                AND NOT coalesce(c.reloptions, '{}') @> ARRAY['gin_pending_list_limit=2048'] LOOP
    CALL search_soon(leaf);
  END LOOP;
END $$;
