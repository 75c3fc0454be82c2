-- The policy is the net beneath; the campaign that a query carries is its filter. As a comparison of the column, the policy also offered
-- itself to every index that begins with the campaign, and its guessed selectivity was multiplied with the query's own: any index then
-- seemed to find one row, and the planner took one that reads all of the campaign. Inside coalesce it is checked, and no more.
-- The sub-select makes the scope an init plan: read once a statement, not once a row.
-- A platform scope sees that campaigns exist: in the registry their rows carry their own number.
-- requires: scope/scope_campaigns
CREATE OR REPLACE FUNCTION scope_condition(scope text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE scope
  WHEN 'campaign' THEN 'coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false)'
  WHEN 'root' THEN 'coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false) OR 0 = ANY ((SELECT scope_campaigns())::int[])'
  WHEN 'global' THEN '0 = ANY ((SELECT scope_campaigns())::int[])'
  WHEN 'registry' THEN 'coalesce(campaign_id = ANY ((SELECT scope_campaigns())::int[]), false)
                        OR (type = ''campaign'' AND 0 = ANY ((SELECT scope_campaigns())::int[]))' END $$;
COMMENT ON FUNCTION scope_condition(text) IS 'Which rows a statement''s scope lets it see, as the text of a policy: of a kind of table.';
