-- Each caller has its own keys. Keys of the platform's creates, and those from before, have no caller. Building the index takes about a second
-- per million keys; creates with keys wait for it.
ALTER TABLE idempotency ADD COLUMN IF NOT EXISTS caller varchar(200) NOT NULL DEFAULT '';
CREATE UNIQUE INDEX idempotency_caller_key ON idempotency (campaign_id, key, caller);
ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey;
ALTER TABLE idempotency ADD CONSTRAINT idempotency_pkey PRIMARY KEY USING INDEX idempotency_caller_key;
COMMENT ON TABLE idempotency IS 'Keys of creates, so that a repeated request has the same result. Its age is in master_id. campaign_id is where the create was called: 0 for a campaign.';
COMMENT ON COLUMN idempotency.caller IS 'Who used the key; empty for keys that all callers share.';
COMMENT ON COLUMN idempotency.digest IS 'Digest of the request. Its first byte is the version; digests of 32 bytes have version 1.';
