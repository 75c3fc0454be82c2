-- Natural keys: claimed and released.
-- requires: access/secure_table, scope/scope_condition
-- transaction: own
CALL secure_table('master_key', scope_condition('campaign'));
REVOKE ALL ON master_key FROM ovasabi_app;
GRANT SELECT, INSERT, DELETE ON master_key TO ovasabi_app;
