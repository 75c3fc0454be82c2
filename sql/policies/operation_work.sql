-- The table is not searched, so no policy gives the search role access.
-- requires: access/scope_table, scope/scope_condition
-- transaction: own
CALL scope_table('operation_work', scope_condition('campaign'));
REVOKE ALL ON operation_work FROM ovasabi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON operation_work TO ovasabi_app;
