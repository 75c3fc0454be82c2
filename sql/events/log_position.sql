-- Transaction numbers of two servers do not compare, so the log has an epoch for each server that it comes to, in the 16 bits above the number.
-- 48 bits are enough for 890 years of 10,000 transactions per second; a larger number has no position, and NOT NULL refuses its events.
CREATE OR REPLACE FUNCTION log_position(epoch int, xid xid8) RETURNS xid8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN xid < '281474976710656' THEN (epoch::bigint << 48 | xid::text::bigint)::text::xid8 END $$;
COMMENT ON FUNCTION log_position(int, xid8) IS 'The position of a transaction in the event log.';
