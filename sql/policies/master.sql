-- The registry: the application inserts and updates rows, and never deletes any.
-- requires: access/secure_table, scope/scope_condition, replication/replaced_when_copied
-- transaction: own
CALL secure_table('master', scope_condition('registry'));
REVOKE ALL ON master FROM ovasabi_app;
GRANT SELECT, INSERT, UPDATE (name, status, version, updated_at) ON master TO ovasabi_app;
CALL replaced_when_copied('master', 'campaign_id, id');
