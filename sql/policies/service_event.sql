-- The event log can be read and appended to, never changed; only through the parent table, not through its streams.
-- requires: access/secure_table, scope/scope_condition
-- transaction: own
CALL secure_table('service_event', scope_condition('campaign'));
CALL secure_table('service_event_operational', 'false');
CALL secure_table('service_event_analytics', 'false');
CALL secure_table('service_event_audit', 'false');
REVOKE ALL ON service_event, service_event_operational, service_event_analytics, service_event_audit FROM ovasabi_app;
GRANT SELECT, INSERT ON service_event TO ovasabi_app;
