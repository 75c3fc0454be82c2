-- Where each campaign is, under which slug, and under which client key it was created. Everything else of a campaign is in its entity.
CREATE TABLE campaign_directory (
  number integer CONSTRAINT campaign_directory_pkey PRIMARY KEY,
  slug varchar(63) NOT NULL,
  shard smallint NOT NULL DEFAULT 0,
  state varchar(16) NOT NULL CONSTRAINT campaign_directory_state_check CHECK (state IN ('creating', 'active', 'deleted')),
  key varchar(200) CONSTRAINT campaign_directory_key_key UNIQUE,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE campaign_directory IS 'Which campaigns there are, and on which server each of them is.';
CREATE UNIQUE INDEX campaign_directory_slug_key ON campaign_directory (slug) WHERE state <> 'deleted';
CREATE INDEX campaign_directory_slug_idx ON campaign_directory (slug);

INSERT INTO campaign_directory (number, slug, state, key)
SELECT s.campaign_id, s.slug, CASE WHEN s.deleted_at IS NULL THEN 'active' ELSE 'deleted' END, min(d.key)
FROM service_campaign_main AS s LEFT JOIN idempotency AS d ON d.campaign_id = 0 AND d.master_id = s.master_id
GROUP BY s.campaign_id, s.slug, s.deleted_at;
