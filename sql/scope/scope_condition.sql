-- The policy is only a safety net: queries filter by campaign themselves. If the policy compared the column directly, the planner would also
-- use it as a condition for every index that begins with the campaign, and multiply its estimated selectivity with the query's own: any index
-- would then seem to find one row, and the planner would choose one that reads the whole campaign. Inside coalesce it is only a check.
-- The sub-select makes the scope an init plan, which is evaluated once per statement, not once per row.
-- A platform scope can see campaigns, whose rows in the registry have the campaign's own number.
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
