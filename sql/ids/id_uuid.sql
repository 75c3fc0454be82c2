-- A version 7 UUID (RFC 9562): the id's own milliseconds and sequence, then 62 random bits. The UUID thus contains the id.
CREATE OR REPLACE FUNCTION id_uuid(id bigint) RETURNS uuid
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
AS $$ SELECT (lpad(to_hex((id >> 12) + 1577836800000), 12, '0') || '7' || lpad(to_hex(id & 4095), 3, '0')
              || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid $$;
COMMENT ON FUNCTION id_uuid(bigint) IS 'A new public reference (UUID version 7) for an id.';
