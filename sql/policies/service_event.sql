-- The event log can be read and appended to, never changed; only through the parent table, not through its streams. An event's position is
-- always that of the transaction that writes it: the application cannot give it another.
-- requires: access/secure_table, scope/scope_condition
-- transaction: own
CALL secure_table('service_event', scope_condition('campaign'));
CALL secure_table('service_event_operational', 'false');
CALL secure_table('service_event_analytics', 'false');
CALL secure_table('service_event_audit', 'false');
REVOKE ALL ON service_event, service_event_operational, service_event_analytics, service_event_audit FROM ovasabi_app;
GRANT SELECT, INSERT (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, correlation_id, causation_id, payload)
  ON service_event TO ovasabi_app;
