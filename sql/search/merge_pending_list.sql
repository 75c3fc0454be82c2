-- It merges what other sessions would otherwise merge in the middle of a write. The caller's role does not own the indexes.
CREATE OR REPLACE FUNCTION merge_pending_list(p_table text) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
  SELECT coalesce(sum(gin_clean_pending_list(i.indexrelid)), 0)::bigint
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
  WHERE i.indrelid = to_regclass('public.' || quote_ident(p_table)) AND a.amname = 'gin' AND c.relkind = 'i'
$$;
COMMENT ON FUNCTION merge_pending_list(text) IS 'Merges the pending lists of a table''s GIN indexes; returns the number of pages merged.';

REVOKE EXECUTE ON FUNCTION merge_pending_list(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merge_pending_list(text) TO ovasabi_app;
