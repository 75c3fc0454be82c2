-- Reads the rows of the registry one by one, by key.
CREATE OR REPLACE FUNCTION found_records(p_ids bigint[]) RETURNS SETOF master
LANGUAGE plpgsql STABLE ROWS 20 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
  RETURN QUERY SELECT m.* FROM unnest(p_ids) AS n (id) CROSS JOIN LATERAL (SELECT * FROM master WHERE master.id = n.id OFFSET 0) AS m;
END $$;
COMMENT ON FUNCTION found_records(bigint[]) IS 'The registry''s rows with some ids, of those that the caller may see.';
