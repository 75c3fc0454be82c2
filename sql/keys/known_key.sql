-- The application may not read api_key: who can run a statement of its own can neither list the keys nor learn their digests. What is known of a
-- key is told only to who has its digest, which is made from the secret in it.
CREATE OR REPLACE FUNCTION known_key(p_prefix text, p_digest bytea)
RETURNS TABLE (prefix text, campaign_id int, role text, expires_at timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  RETURN QUERY SELECT k.prefix::text, k.campaign_id, k.role::text, k.expires_at, k.revoked_at FROM api_key AS k
               WHERE k.prefix = p_prefix AND k.digest = p_digest;
END $$;
COMMENT ON FUNCTION known_key(text, bytea) IS 'What is known of an API key, told to who has its digest.';

REVOKE EXECUTE ON FUNCTION known_key(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION known_key(text, bytea) TO ovasabi_app;
