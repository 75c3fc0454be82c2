-- Generated from the declaration of campaign: its repository's statements. `make api` writes them.

-- name: count
-- $1 scope, $2 campaign; answers how many rows there are.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT count(*) AS total FROM service_campaign_main AS s
  WHERE ($2::int = 0 OR s.campaign_id = $2) AND s.deleted_at IS NULL AND scope.s IS NOT NULL
  OFFSET 0) AS x;

-- name: create
-- $1 scope, $2 campaigns, $3 rows (JSON), $4 client keys, $5 digests, $6 event types, $7 actors,
-- $8 correlation ids, $9 causation ids; answers position, verdict, id, uuid in order of position.
--
-- Where the rows are counted, $10 to $12 are their parents: see `counting`.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*, next_id() AS id, jsonb_populate_record(NULL::service_campaign_main, u.data) AS n
  FROM scope, unnest($2::int[], $3::text[]::jsonb[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[],
                     $9::bigint[]) WITH ORDINALITY
    AS u (campaign_id, data, key, digest, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL),
judged AS MATERIALIZED (
  SELECT i.*, id_time(i.id) AS at, id_uuid(i.id) AS uuid, CASE
    WHEN i.key IS NULL THEN NULL
    ELSE (SELECT CASE WHEN d.digest = i.digest THEN 'replayed' ELSE 'key_reused' END
          FROM idempotency AS d WHERE d.campaign_id = 0 AND d.key = i.key) END AS known,
    i.key IS NOT NULL AND row_number() OVER (PARTITION BY 0, i.key ORDER BY i.position) > 1 AS repeated,
    key_value((i.n).slug::text) AS key_slug, key_value((i.n).slug::text) IS NOT NULL AND row_number() OVER (PARTITION BY 0, key_value((i.n).slug::text) ORDER BY i.position) > 1 AS contested_slug
  FROM input AS i),
decided AS MATERIALIZED (SELECT i.*, CASE WHEN i.known IS NOT NULL THEN i.known WHEN i.repeated THEN 'again'
    WHEN true AND (i.n).owner_id IS NOT NULL AND NOT entity_exists(0, (i.n).owner_id, 'user') THEN 'missing:owner_id'
    WHEN (SELECT h.master_id FROM service_campaign_main AS h WHERE h.slug = (i.n).slug AND h.deleted_at IS NULL) IS NOT NULL THEN 'taken:slug'
    WHEN i.contested_slug THEN 'again' END AS verdict FROM judged AS i),
wanted AS MATERIALIZED (SELECT * FROM decided WHERE verdict IS NULL),
claimed AS (
  INSERT INTO idempotency (campaign_id, key, digest, master_id)
  SELECT 0, key, digest, id FROM wanted AS i WHERE key IS NOT NULL ORDER BY 1, key),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, uuid, campaign_id, 'campaign', left((n).title::text, 200), at, at FROM wanted),
stored AS (
  INSERT INTO service_campaign_main (campaign_id, created_at, master_id, slug, title, description, kind, state, dedicated, owner_id, starts_at, ends_at, metadata, updated_at)
  SELECT campaign_id, at, id, (n).slug, (n).title, (n).description, (n).kind, (n).state, (n).dedicated, (n).owner_id, (n).starts_at, (n).ends_at, (n).metadata, at FROM wanted),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'audit', at, id, campaign_id, id, event_type, 1, actor, correlation_id, causation_id,
         data FROM wanted)
SELECT position, verdict, id, uuid FROM decided ORDER BY position;

-- name: delete
-- As `update`, with nothing in $6: marks the row, keeps a tombstone, and frees its natural keys.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*
  FROM scope, unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[]::jsonb[], $7::text[], $8::text[],
                     $9::text[], $10::bigint[]) WITH ORDINALITY
    AS u (campaign_id, id, at, expected, data, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL ORDER BY u.id),
decided AS MATERIALIZED (SELECT i.*, NULL::text AS verdict FROM input AS i),
bumped AS (
  UPDATE master AS m SET status = 2, version = m.version + 1,
    updated_at = date_trunc('milliseconds', clock_timestamp())
  FROM decided AS i
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'campaign'
    AND m.status = 1
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_campaign_main AS s SET deleted_at = b.updated_at, updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id AND s.master_id = i.id AND s.deleted_at IS NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'audit', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
         e.correlation_id, e.causation_id, e.payload
  FROM (SELECT time_id(b.updated_at) | (nextval('id_sequence') & 4095) AS event_id, b.*,
               i.event_type, i.actor, i.correlation_id, i.causation_id, coalesce(i.data, '{}') AS payload
        FROM bumped AS b JOIN decided AS i USING (position)) AS e)
SELECT d.verdict, s.* FROM decided AS d LEFT JOIN stored AS s USING (position) ORDER BY d.position;

-- name: get
-- $1 scope, $2 campaigns, $3 created_ats in order, $4 their ids; answers the rows that are there, each with the
-- campaign that it was `asked_by`.
--
-- Each key is looked up by itself (the OFFSETs see to it): a planner that takes a new campaign for small would
-- rather read all of it.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT k.campaign_id AS asked_by, m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at
  FROM unnest($2::int[], $3::timestamptz[], $4::bigint[]) AS k (campaign_id, at, id)
  CROSS JOIN LATERAL (
    SELECT s.* FROM service_campaign_main AS s
    WHERE (k.campaign_id = 0 OR s.campaign_id = k.campaign_id) AND s.master_id = k.id
      AND s.deleted_at IS NULL OFFSET 0) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = s.campaign_id OFFSET 0) AS m
  WHERE scope.s IS NOT NULL
  OFFSET 0) AS x;

-- name: list
-- The newest. $1 scope, $2 campaign, $3 the moment, $4 limit; answers a page's rows.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at
  FROM (SELECT s.* FROM service_campaign_main AS s
        WHERE ($2::int = 0 OR s.campaign_id = $2) AND s.deleted_at IS NULL AND scope.s IS NOT NULL AND s.created_at <= $3
        ORDER BY s.created_at DESC, s.master_id DESC LIMIT $4) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = s.campaign_id OFFSET 0) AS m
  ORDER BY s.created_at DESC, s.master_id DESC
  OFFSET 0) AS x;

-- name: list_on
-- Behind the id $4. $1 scope, $2 campaign, $3 the moment, $5 limit; answers a page's rows.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at
  FROM (SELECT s.* FROM service_campaign_main AS s
        WHERE ($2::int = 0 OR s.campaign_id = $2) AND s.deleted_at IS NULL AND scope.s IS NOT NULL AND (s.created_at, s.master_id) < ($3, $4) AND s.created_at <= $3
        ORDER BY s.created_at DESC, s.master_id DESC LIMIT $5) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = s.campaign_id OFFSET 0) AS m
  ORDER BY s.created_at DESC, s.master_id DESC
  OFFSET 0) AS x;

-- name: restore
-- As `delete`, the other way: the natural keys are claimed again, which may be refused.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*
  FROM scope, unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[]::jsonb[], $7::text[], $8::text[],
                     $9::text[], $10::bigint[]) WITH ORDINALITY
    AS u (campaign_id, id, at, expected, data, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL ORDER BY u.id),
decided AS MATERIALIZED (SELECT i.*, NULL::text AS verdict FROM input AS i),
bumped AS (
  UPDATE master AS m SET status = 1, version = m.version + 1,
    updated_at = date_trunc('milliseconds', clock_timestamp())
  FROM decided AS i
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'campaign'
    AND m.status = 2
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_campaign_main AS s SET deleted_at = NULL, updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id AND s.master_id = i.id AND s.deleted_at IS NOT NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'audit', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
         e.correlation_id, e.causation_id, e.payload
  FROM (SELECT time_id(b.updated_at) | (nextval('id_sequence') & 4095) AS event_id, b.*,
               i.event_type, i.actor, i.correlation_id, i.causation_id, coalesce(i.data, '{}') AS payload
        FROM bumped AS b JOIN decided AS i USING (position)) AS e)
SELECT d.verdict, s.* FROM decided AS d LEFT JOIN stored AS s USING (position) ORDER BY d.position;

-- name: search
-- $1 scope, $2 campaign, then as `search_entities`: the best matches with their rank, and how many there are.
--
-- Of functions alone, so that no table is planned each time: see docs/decisions/0013.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT h.ranks[array_position(h.ids, s.master_id)] AS rank, h.matched, h.corrected, m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at
  FROM (SELECT array_agg(f.master_id) AS ids, array_agg(f.rank) AS ranks, max(f.matched) AS matched,
               bool_or(f.corrected) AS corrected
        FROM search_entities($2, $3::text[], $4::text[], $5::text[], $6::text[], $7, $8, $9) AS f
        WHERE scope.s IS NOT NULL OFFSET 0) AS h
  CROSS JOIN LATERAL found_entities($2, NULL::service_campaign_main, h.ids) AS s
  JOIN LATERAL found_records(h.ids) AS m ON m.id = s.master_id
  OFFSET 0) AS x;

-- name: update
-- $1 scope, $2 campaigns, $3 ids in order, $4 created_ats, $5 expected versions or null, $6 patches (JSON),
-- $7 event types, $8 actors, $9 correlation ids, $10 causation ids; answers verdict and the row as it is now.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*
  FROM scope, unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[]::jsonb[], $7::text[], $8::text[],
                     $9::text[], $10::bigint[]) WITH ORDINALITY
    AS u (campaign_id, id, at, expected, data, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL ORDER BY u.id),
decided AS MATERIALIZED (
  SELECT i.*, CASE WHEN i.data ? 'owner_id' AND (i.n).owner_id IS NOT NULL AND NOT entity_exists(0, (i.n).owner_id, 'user') THEN 'missing:owner_id'
    WHEN i.data ? 'slug' AND (SELECT h.master_id FROM service_campaign_main AS h WHERE h.slug = (i.n).slug AND h.deleted_at IS NULL) <> i.id THEN 'taken:slug' END AS verdict
  FROM (SELECT t.*, jsonb_populate_record(NULL::service_campaign_main, t.data) AS n FROM input AS t) AS i),
bumped AS (
  UPDATE master AS m SET name = CASE WHEN i.data ? 'title' THEN left((i.n).title::text, 200) ELSE m.name END, version = m.version + 1,
    updated_at = date_trunc('milliseconds', clock_timestamp())
  FROM decided AS i
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'campaign'
    AND m.status = 1
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_campaign_main AS s SET
    slug = CASE WHEN i.data ? 'slug' THEN (i.n).slug ELSE s.slug END,
    title = CASE WHEN i.data ? 'title' THEN (i.n).title ELSE s.title END,
    description = CASE WHEN i.data ? 'description' THEN (i.n).description ELSE s.description END,
    kind = CASE WHEN i.data ? 'kind' THEN (i.n).kind ELSE s.kind END,
    state = CASE WHEN i.data ? 'state' THEN (i.n).state ELSE s.state END,
    dedicated = CASE WHEN i.data ? 'dedicated' THEN (i.n).dedicated ELSE s.dedicated END,
    owner_id = CASE WHEN i.data ? 'owner_id' THEN (i.n).owner_id ELSE s.owner_id END,
    starts_at = CASE WHEN i.data ? 'starts_at' THEN (i.n).starts_at ELSE s.starts_at END,
    ends_at = CASE WHEN i.data ? 'ends_at' THEN (i.n).ends_at ELSE s.ends_at END,
    metadata = CASE WHEN i.data ? 'metadata' THEN metadata_merge(s.metadata, i.data -> 'metadata') ELSE s.metadata END,
    updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id AND s.master_id = i.id AND s.deleted_at IS NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.slug, s.title, s.description, s.kind, s.state, s.dedicated, s.owner_id, s.starts_at, s.ends_at),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'audit', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
         e.correlation_id, e.causation_id, e.payload
  FROM (SELECT time_id(b.updated_at) | (nextval('id_sequence') & 4095) AS event_id, b.*,
               i.event_type, i.actor, i.correlation_id, i.causation_id, i.data AS payload
        FROM bumped AS b JOIN decided AS i USING (position)) AS e)
SELECT d.verdict, s.* FROM decided AS d LEFT JOIN stored AS s USING (position) ORDER BY d.position;
