-- No row-level security, because a key is looked up before its campaign is known.
REVOKE ALL ON api_key FROM ovasabi_app, ovasabi_search;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_key TO ovasabi_app;
