-- No row-level security, because a key is looked up before its campaign is known.
-- requires: replication/replaced_when_copied
-- transaction: own
REVOKE ALL ON api_key FROM ovasabi_app, ovasabi_search;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_key TO ovasabi_app;
CALL replaced_when_copied('api_key', 'prefix');
