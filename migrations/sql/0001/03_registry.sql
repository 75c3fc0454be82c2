-- The registry: one lean row per entity, whatever its service.
-- A campaign's number: small, sequential, never used again; 0 is the platform.
CREATE SEQUENCE campaign_number AS integer;

CREATE TABLE entity_type (
  name varchar(63) CONSTRAINT entity_type_pkey PRIMARY KEY,
  service varchar(63) NOT NULL,
  table_name varchar(63) NOT NULL CONSTRAINT entity_type_table_name_key UNIQUE,
  scope varchar(16) NOT NULL CONSTRAINT entity_type_scope_check CHECK (scope IN ('campaign', 'root', 'global')),
  searchable boolean NOT NULL
);
COMMENT ON TABLE entity_type IS 'One row per declared entity.';

CREATE TABLE master (
  id bigint NOT NULL CONSTRAINT master_pkey PRIMARY KEY,
  uuid uuid NOT NULL CONSTRAINT master_uuid_key UNIQUE,
  campaign_id integer NOT NULL,
  type varchar(63) NOT NULL CONSTRAINT master_type_fkey REFERENCES entity_type (name),
  name varchar(200) NOT NULL,
  status smallint NOT NULL DEFAULT 1 CONSTRAINT master_status_check CHECK (status IN (1, 2)),
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT master_campaign_id_id_key UNIQUE (campaign_id, id),
  CONSTRAINT master_created_at_check CHECK (created_at = id_time(id))
);
COMMENT ON TABLE master IS 'One row per entity: existence, type, name, status, version. status 1 is active, 2 is deleted.';
CREATE INDEX master_campaign_id_type_id_idx ON master (campaign_id, type, id);

-- Natural keys of partitioned tables: a unique index there could not span months.
CREATE TABLE master_key (
  campaign_id integer NOT NULL,
  type varchar(63) NOT NULL,
  field varchar(63) NOT NULL,
  value varchar(200) NOT NULL,
  master_id bigint NOT NULL,
  CONSTRAINT master_key_pkey PRIMARY KEY (campaign_id, type, field, value),
  CONSTRAINT master_key_master_fkey FOREIGN KEY (campaign_id, master_id) REFERENCES master (campaign_id, id)
);
COMMENT ON TABLE master_key IS 'Which entity holds a natural key within its campaign.';
CREATE INDEX master_key_master_id_idx ON master_key (master_id);

CREATE TABLE idempotency (
  campaign_id integer NOT NULL,
  key varchar(200) NOT NULL,
  digest bytea NOT NULL,
  master_id bigint NOT NULL,
  CONSTRAINT idempotency_pkey PRIMARY KEY (campaign_id, key),
  CONSTRAINT idempotency_master_fkey FOREIGN KEY (master_id) REFERENCES master (id)
);
COMMENT ON TABLE idempotency IS 'Client keys of creates, so that the same request again has the same answer. Its age is in master_id. campaign_id is where the create was called: 0 for a campaign.';
CREATE INDEX idempotency_master_id_idx ON idempotency (master_id);

CREATE FUNCTION key_value(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN array_position(parts, NULL) IS NOT NULL THEN NULL
                  WHEN octet_length(joined) <= 120 THEN joined
                  ELSE 'sha256:' || encode(sha256(convert_to(joined, 'UTF8')), 'hex') END
      FROM array_to_string(parts, E'\x1f') AS joined $$;
COMMENT ON FUNCTION key_value(text[]) IS 'The text under which a natural key is kept: short ones as they are, long ones hashed; null if a part is null.';
