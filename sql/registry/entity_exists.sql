-- Bypasses row-level security, so that entities of a campaign can refer to entities of the platform.
-- requires: scope/scope_campaigns
CREATE OR REPLACE FUNCTION entity_exists(p_campaign int, p_id bigint, p_type text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT EXISTS (SELECT 1 FROM master WHERE campaign_id = p_campaign AND id = p_id AND type = p_type AND status = 1)
             AND (p_campaign = 0 OR p_campaign = ANY (scope_campaigns())) $$;
COMMENT ON FUNCTION entity_exists(int, bigint, text) IS 'Whether an entity may be referred to: of the scope''s campaigns, or of the platform.';

REVOKE EXECUTE ON FUNCTION entity_exists(int, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION entity_exists(int, bigint, text) TO ovasabi_app;
ALTER FUNCTION entity_exists(int, bigint, text) OWNER TO ovasabi_search;
