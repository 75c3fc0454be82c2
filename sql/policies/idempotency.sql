-- Client keys: the record of a request never changes.
-- requires: access/secure_table, scope/scope_condition
-- transaction: own
CALL secure_table('idempotency', scope_condition('campaign'));
REVOKE ALL ON idempotency FROM ovasabi_app;
GRANT SELECT, INSERT ON idempotency TO ovasabi_app;
