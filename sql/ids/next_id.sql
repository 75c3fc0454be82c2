-- Ids have 53 bits: 41 for the milliseconds since 2020-01-01 UTC, and 12 for a sequence. The time in the id *is* created_at.
CREATE OR REPLACE FUNCTION next_id() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$ SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1577836800000) << 12 | (nextval('id_sequence') & 4095) $$;
COMMENT ON FUNCTION next_id() IS 'A new time-ordered id of 53 bits.';
