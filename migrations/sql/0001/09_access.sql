-- Who may do what: forced row-level security on every table that holds a campaign's rows.
-- Without statistics on campaign_id the planner takes every campaign for one of 200 alike. With them, it takes one that
-- is new since the last ANALYZE for a single row, and reads all of it where a key would do.
CREATE PROCEDURE plan_alike(target regclass)
LANGUAGE plpgsql
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = target AND attname = 'campaign_id' AND NOT attisdropped) THEN
    EXECUTE format('ALTER TABLE %s ALTER COLUMN campaign_id SET STATISTICS 0', target);
  END IF;
END $$;

CREATE PROCEDURE secure_table(target regclass, condition text)
LANGUAGE plpgsql
AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('CREATE POLICY campaign_scope ON %s TO ovasabi_app USING (%s)', target, condition);
  EXECUTE format('CREATE POLICY owner_all ON %s TO ovasabi_owner USING (true)', target);
  EXECUTE format('CREATE POLICY search_read ON %s FOR SELECT TO ovasabi_search USING (true)', target);
  EXECUTE format('GRANT SELECT ON %s TO ovasabi_search', target);
  CALL plan_alike(target);
END $$;

-- The sub-select makes the scope an init plan: read once a statement, not once a row.
CREATE FUNCTION scope_condition(scope text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE scope
  WHEN 'campaign' THEN 'campaign_id = ANY ((SELECT scope_campaigns())::int[])'
  WHEN 'root' THEN 'campaign_id = ANY ((SELECT scope_campaigns())::int[]) OR 0 = ANY ((SELECT scope_campaigns())::int[])'
  WHEN 'global' THEN '0 = ANY ((SELECT scope_campaigns())::int[])' END $$;

GRANT USAGE ON SCHEMA public TO ovasabi_app, ovasabi_search;
GRANT USAGE ON SEQUENCE id_sequence, campaign_number TO ovasabi_app;
GRANT SELECT ON entity_type TO ovasabi_app, ovasabi_search;
GRANT SELECT, INSERT, UPDATE (name, status, version, updated_at) ON master TO ovasabi_app;
GRANT SELECT, INSERT, DELETE ON master_key TO ovasabi_app;
GRANT SELECT, INSERT ON idempotency TO ovasabi_app;
GRANT SELECT, INSERT ON service_event TO ovasabi_app;
GRANT SELECT, INSERT, UPDATE ON lease TO ovasabi_app;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_key TO ovasabi_app;
-- So that a login of the application alone can tell whether the database is ready for it.
GRANT SELECT ON alembic_version TO ovasabi_app;

-- A platform scope sees that campaigns exist: their registry rows carry their own number.
CALL secure_table('master', scope_condition('campaign') || ' OR (type = ''campaign'' AND 0 = ANY ((SELECT scope_campaigns())::int[]))');
CALL secure_table('master_key', scope_condition('campaign'));
CALL secure_table('idempotency', scope_condition('campaign'));
CALL secure_table('service_event', scope_condition('campaign'));
CALL secure_table('service_event_operational', 'false');
CALL secure_table('service_event_analytics', 'false');
CALL secure_table('service_event_audit', 'false');
CALL secure_table('lease', scope_condition('campaign'));

CREATE FUNCTION entity_exists(p_campaign int, p_id bigint, p_type text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT EXISTS (SELECT 1 FROM master WHERE campaign_id = p_campaign AND id = p_id AND type = p_type AND status = 1)
             AND (p_campaign = 0 OR p_campaign = ANY (scope_campaigns())) $$;
COMMENT ON FUNCTION entity_exists(int, bigint, text) IS 'Whether an entity may be referred to: of the scope''s campaigns, or of the platform.';
