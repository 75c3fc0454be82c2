-- Reads the rows of the registry one by one, by key.
-- requires: scope/scope_campaigns
CREATE OR REPLACE FUNCTION found_records(p_campaign int, p_ids bigint[]) RETURNS SETOF master
LANGUAGE plpgsql STABLE ROWS 20 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
BEGIN
  RETURN QUERY SELECT m.* FROM unnest(p_ids) AS n (id)
    CROSS JOIN LATERAL (SELECT * FROM master WHERE master.campaign_id = p_campaign AND master.id = n.id OFFSET 0) AS m;
END $$;
COMMENT ON FUNCTION found_records(int, bigint[]) IS 'The registry''s rows of a campaign with some ids, of those that the caller may see.';

-- Version 0.1.0 calls it without the campaign, and may still be running.
CREATE OR REPLACE FUNCTION found_records(p_ids bigint[]) RETURNS SETOF master
LANGUAGE sql STABLE ROWS 20
AS $$ SELECT m.* FROM unnest(scope_campaigns()) AS c (id) CROSS JOIN LATERAL found_records(c.id, p_ids) AS m $$;
