-- Called in the transaction of each fenced write. The shared row lock blocks a takeover of the lease until that write has ended.
CREATE OR REPLACE FUNCTION require_lease(p_campaign int, p_name text, p_token bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM 1 FROM lease WHERE campaign_id = p_campaign AND name = p_name AND token = p_token FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'lease % is no longer held under token %', p_name, p_token USING ERRCODE = 'OV002';
  END IF;
END $$;
COMMENT ON FUNCTION require_lease(int, text, bigint) IS 'Refuses the write of a holder whose lease was taken over.';
