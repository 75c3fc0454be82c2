-- The table is not searched, so no policy gives the search role access.
-- requires: access/scope_table, scope/scope_condition
-- transaction: own
CALL scope_table('operation_output', scope_condition('campaign'));
REVOKE ALL ON operation_output FROM ovasabi_app;
GRANT SELECT, INSERT, DELETE ON operation_output TO ovasabi_app;
