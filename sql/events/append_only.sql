-- The changes to the event log that are refused to every role.
-- requires: events/refuse_event_change
-- transaction: own
CREATE OR REPLACE TRIGGER service_event_append_only BEFORE UPDATE OR DELETE ON service_event
  FOR EACH ROW EXECUTE FUNCTION refuse_event_change();
-- Partitions do not inherit statement-level triggers, so create_month adds this one to each leaf.
CREATE OR REPLACE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON service_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
