-- No row-level security, because a key is looked up before its campaign is known. The application looks keys up by functions; the owner's role,
-- as which the commands run, creates and revokes them.
-- requires: replication/replaced_when_copied, keys/known_key, keys/key_revoked
-- transaction: own
REVOKE ALL ON api_key FROM ovasabi_app, ovasabi_search;
CALL replaced_when_copied('api_key', 'prefix');
