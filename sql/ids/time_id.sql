-- The sequence bits are zero, so ids of the same millisecond are equal or greater.
CREATE OR REPLACE FUNCTION time_id(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT (floor(extract(epoch FROM at) * 1000)::bigint - 1577836800000) << 12 $$;
COMMENT ON FUNCTION time_id(timestamptz) IS 'The smallest id of a moment.';
