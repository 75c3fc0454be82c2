-- What arrives from home replaces what a server has: one that was restored has copies of rows that are copied again. Rows that campaigns refer to
-- are thus never missing in between.
CREATE OR REPLACE FUNCTION replace_copied() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
  EXECUTE format('DELETE FROM %s AS t WHERE %s', TG_RELID::regclass,
                 (SELECT string_agg(format('t.%1$I = ($1).%1$I', c), ' AND ') FROM unnest(TG_ARGV) AS c)) USING NEW;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION replace_copied() IS 'Lets a row that logical replication brings replace the one with the same key.';

REVOKE EXECUTE ON FUNCTION replace_copied() FROM PUBLIC;
