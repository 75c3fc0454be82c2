-- Every search scans the pending list of the full-text index. By default the list can grow to 4 MB, which takes 3 ms or more.
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

-- Existing leaves with another setting.
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
