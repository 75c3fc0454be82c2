-- The actor of an API key is named after it. This tells nothing but that work of this actor must end.
CREATE OR REPLACE FUNCTION key_revoked(p_actor text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT p_actor LIKE 'key:%' AND EXISTS (SELECT 1 FROM api_key AS k WHERE k.prefix = substr(p_actor, 5)
                                              AND (k.revoked_at IS NOT NULL OR k.expires_at <= clock_timestamp())) $$;
COMMENT ON FUNCTION key_revoked(text) IS 'Whether an actor is an API key that was revoked or has expired.';

REVOKE EXECUTE ON FUNCTION key_revoked(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_revoked(text) TO ovasabi_app;
