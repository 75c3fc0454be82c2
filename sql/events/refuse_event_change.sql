-- The event log is append-only, even for its owner.
CREATE OR REPLACE FUNCTION refuse_event_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE EXCEPTION 'service_event is append-only: % is refused', TG_OP USING ERRCODE = 'OV001';
END $$;
