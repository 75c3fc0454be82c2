-- For functions that bypass row-level security. OV003 distinguishes the error from PostgreSQL's own 42501, a missing GRANT.
-- requires: scope/scope_campaigns
CREATE OR REPLACE FUNCTION require_scope(campaign int) RETURNS void
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  IF campaign IS NULL OR NOT campaign = ANY (scope_campaigns()) THEN
    RAISE EXCEPTION 'campaign % is outside the scope of the statement', campaign USING ERRCODE = 'OV003';
  END IF;
END $$;
COMMENT ON FUNCTION require_scope(int) IS 'Refuses a campaign outside the statement''s scope: for functions that run beyond row-level security.';
