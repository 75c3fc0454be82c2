-- What is refused of the event log, whoever asks.
-- requires: events/refuse_event_change
-- transaction: own
CREATE OR REPLACE TRIGGER service_event_append_only BEFORE UPDATE OR DELETE ON service_event
  FOR EACH ROW EXECUTE FUNCTION refuse_event_change();
-- A leaf has one of its own, by create_month: a trigger for a statement is not passed on to partitions.
CREATE OR REPLACE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON service_event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
