-- For what asks how late it is among rows, rather than among people: while the clock is set back, rows are ahead of it.
-- requires: ids/id_time
CREATE OR REPLACE FUNCTION present_time() RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$ SELECT greatest(clock_timestamp(), id_time(pg_sequence_last_value('public.id_clock'))) $$;
COMMENT ON FUNCTION present_time() IS 'The present: the clock, or the time of the last id, whichever is later.';
