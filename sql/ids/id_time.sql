-- Declared immutable: adding milliseconds to a timestamptz does not depend on the time zone.
-- A check constraint of master uses it, so its results must never change.
CREATE OR REPLACE FUNCTION id_time(id bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT timestamptz 'epoch' + ((id >> 12) + 1577836800000) * interval '1 millisecond' $$;
COMMENT ON FUNCTION id_time(bigint) IS 'The time that an id carries, to the millisecond.';
