-- The inverse of id_uuid. For other UUIDs the result is meaningless.
CREATE OR REPLACE FUNCTION uuid_id(reference uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT ((('x0000' || left(replace(reference::text, '-', ''), 12))::bit(64)::bigint) - 1577836800000) << 12
             | (('x' || substr(replace(reference::text, '-', ''), 14, 3))::bit(12)::int) $$;
COMMENT ON FUNCTION uuid_id(uuid) IS 'The id that a uuid of ours carries.';
