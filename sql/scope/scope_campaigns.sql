-- The tenant scope, set inside each statement, for that statement only. If it is empty or unset, nothing is visible.
CREATE OR REPLACE FUNCTION scope_campaigns() RETURNS int[]
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(current_setting('ovasabi.campaigns', true), ''), '{}')::int[] $$;
COMMENT ON FUNCTION scope_campaigns() IS 'The campaigns that the running statement may see.';
