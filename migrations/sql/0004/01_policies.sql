-- The policy is the net beneath; the campaign that a query carries is its filter. As a comparison of the column, the policy also offered
-- itself to every index that begins with the campaign, and its guessed selectivity was multiplied with the query's own: any index then
-- seemed to find one row, and the planner took one that reads all of the campaign. Inside coalesce it is checked, and no more.
CREATE OR REPLACE FUNCTION scope_condition(scope text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE scope
  WHEN 'campaign' THEN 'coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false)'
  WHEN 'root' THEN 'coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false) OR 0 = ANY ((SELECT scope_campaigns())::int[])'
  WHEN 'global' THEN '0 = ANY ((SELECT scope_campaigns())::int[])' END $$;

DO $$
DECLARE
  target text;
  kind text;
BEGIN
  FOR target, kind IN SELECT table_name, scope FROM entity_type WHERE scope <> 'global'
                      UNION ALL SELECT unnest(ARRAY['master_key', 'idempotency', 'service_event', 'lease']), 'campaign' LOOP
    EXECUTE format('ALTER POLICY campaign_scope ON %I USING (%s)', target, scope_condition(kind));
  END LOOP;
END $$;
ALTER POLICY campaign_scope ON master USING (
  coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false)
  OR (type = 'campaign' AND 0 = ANY ((SELECT scope_campaigns())::int[])));
