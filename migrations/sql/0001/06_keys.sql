-- API keys: only a digest is kept. campaign_id 0 is the platform.
CREATE TABLE api_key (
  prefix varchar(16) CONSTRAINT api_key_pkey PRIMARY KEY,
  digest bytea NOT NULL,
  name varchar(200) NOT NULL,
  campaign_id integer NOT NULL,
  role varchar(16) NOT NULL CONSTRAINT api_key_role_check CHECK (role IN ('reader', 'writer', 'admin')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON TABLE api_key IS 'Who may call, for which campaign, in which role.';
