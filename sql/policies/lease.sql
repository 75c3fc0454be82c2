-- Leases are never deleted, not even when they are released, so that their tokens keep increasing.
-- requires: access/secure_table, scope/scope_condition
-- transaction: own
CALL secure_table('lease', scope_condition('campaign'));
REVOKE ALL ON lease FROM ovasabi_app;
GRANT SELECT, INSERT, UPDATE ON lease TO ovasabi_app;
