-- The length of a lease, beyond which it cannot last, even if the clock was set back since. Those from before have none, and last at most a minute.
ALTER TABLE lease ADD COLUMN IF NOT EXISTS seconds double precision NOT NULL DEFAULT 60;
COMMENT ON COLUMN lease.seconds IS 'For how long it was acquired or renewed.';
