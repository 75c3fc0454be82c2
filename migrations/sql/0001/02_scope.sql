-- The tenant scope: set inside each statement, for that statement only. Empty or unset means nothing is visible.
CREATE FUNCTION scope_campaigns() RETURNS int[]
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT coalesce(nullif(current_setting('ovasabi.campaigns', true), ''), '{}')::int[] $$;
COMMENT ON FUNCTION scope_campaigns() IS 'The campaigns that the running statement may see.';

CREATE FUNCTION require_scope(campaign int) RETURNS void
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  IF campaign IS NULL OR NOT campaign = ANY (scope_campaigns()) THEN
    RAISE EXCEPTION 'campaign % is outside the scope of the statement', campaign USING ERRCODE = '42501';
  END IF;
END $$;
COMMENT ON FUNCTION require_scope(int) IS 'Refuses a campaign outside the statement''s scope: for functions that run beyond row-level security.';
