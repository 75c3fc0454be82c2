-- Ids of 53 bits: 41 of milliseconds since 2020-01-01 UTC, 12 of sequence. The time in the id *is* created_at.
CREATE SEQUENCE id_sequence AS bigint CYCLE;

CREATE FUNCTION next_id() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL UNSAFE
AS $$ SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1577836800000) << 12 | (nextval('id_sequence') & 4095) $$;
COMMENT ON FUNCTION next_id() IS 'A new time-ordered id of 53 bits.';

-- Declared immutable: adding milliseconds to a timestamptz does not depend on the time zone.
CREATE FUNCTION id_time(id bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT timestamptz 'epoch' + ((id >> 12) + 1577836800000) * interval '1 millisecond' $$;
COMMENT ON FUNCTION id_time(bigint) IS 'The time that an id carries, to the millisecond.';

CREATE FUNCTION time_id(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT (floor(extract(epoch FROM at) * 1000)::bigint - 1577836800000) << 12 $$;
COMMENT ON FUNCTION time_id(timestamptz) IS 'The smallest id of a moment.';

-- A version 7 UUID (RFC 9562): the id''s own milliseconds and sequence, then 62 random bits. So a uuid carries its id.
CREATE FUNCTION id_uuid(id bigint) RETURNS uuid
LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
AS $$ SELECT (lpad(to_hex((id >> 12) + 1577836800000), 12, '0') || '7' || lpad(to_hex(id & 4095), 3, '0')
              || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid $$;
COMMENT ON FUNCTION id_uuid(bigint) IS 'A new public reference (UUID version 7) for an id.';

CREATE FUNCTION uuid_id(reference uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT ((('x0000' || left(replace(reference::text, '-', ''), 12))::bit(64)::bigint) - 1577836800000) << 12
             | (('x' || substr(replace(reference::text, '-', ''), 14, 3))::bit(12)::int) $$;
COMMENT ON FUNCTION uuid_id(uuid) IS 'The id that a uuid of ours carries.';
