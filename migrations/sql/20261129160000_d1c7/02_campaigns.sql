-- A campaign's entity is found like any other, by campaign and id; that slugs are unique is a matter of the directory.
ALTER TABLE service_campaign_main DROP CONSTRAINT service_campaign_main_pkey,
  ADD CONSTRAINT service_campaign_main_pkey PRIMARY KEY (campaign_id, master_id);

DROP INDEX service_campaign_main_slug_key;

CREATE INDEX service_campaign_main_slug_idx ON service_campaign_main (campaign_id, slug, master_id);

-- The keys under which campaigns were created are theirs.
UPDATE idempotency AS d SET campaign_id = s.campaign_id FROM service_campaign_main AS s WHERE d.campaign_id = 0 AND d.master_id = s.master_id;

ALTER TABLE idempotency ADD CONSTRAINT idempotency_master_fkey FOREIGN KEY (campaign_id, master_id) REFERENCES master (campaign_id, id);
