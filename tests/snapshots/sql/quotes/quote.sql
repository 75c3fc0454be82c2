-- Generated from the declaration of quote: its repository's statements. `make api` writes them.

-- name: adjust
-- As `update`, with amounts to add in $6: counters move without being read; registry and version stay.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*
  FROM scope, unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[]::jsonb[], $7::text[], $8::text[],
                     $9::text[], $10::bigint[]) WITH ORDINALITY
    AS u (campaign_id, id, at, expected, data, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL ORDER BY u.id),
decided AS MATERIALIZED (SELECT i.*, NULL::text AS verdict FROM input AS i),
stored AS (
  UPDATE service_quotes_main AS s SET amount = s.amount + coalesce((i.data ->> 'amount')::numeric, 0)
  FROM decided AS i WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id
      AND (s.created_at, s.master_id) >= (i.at, i.id) AND (s.created_at, s.master_id) <= (i.at, i.id)
      AND ((s.campaign_id = ANY ($2::int[]) AND s.created_at >= ($4::timestamptz[])[1] AND s.created_at <= ($4::timestamptz[])[cardinality(($4::timestamptz[]))] AND s.created_at = i.at)
        OR (s.campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))
            AND ($4::timestamptz[])[1] <= s.created_at AND ($4::timestamptz[])[cardinality(($4::timestamptz[]))] >= s.created_at AND s.created_at = i.at)) AND s.deleted_at IS NULL
  RETURNING i.position, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, actor, correlation_id,
                             causation_id, payload)
  SELECT 'operational', id_time(e.id), e.id, i.campaign_id, i.id, i.event_type, i.actor, i.correlation_id,
         i.causation_id,
         (SELECT jsonb_object_agg(key, value) FROM jsonb_each(jsonb_build_object('amount', u.amount::text)) WHERE i.data ? key)
  FROM (SELECT stored.*, next_id() AS id FROM stored) AS e
  JOIN decided AS i USING (position) JOIN stored AS u USING (position))
SELECT d.verdict, m.id, m.uuid, m.campaign_id, m.version, m.created_at, s.*
FROM decided AS d LEFT JOIN stored AS s USING (position)
LEFT JOIN LATERAL (SELECT * FROM master WHERE campaign_id = d.campaign_id AND id = d.id OFFSET 0) AS m
  ON s.position IS NOT NULL
ORDER BY d.position;

-- name: count
-- $1 scope, $2 campaign; answers how many rows there are.
SELECT x.*
FROM (SELECT set_config('ovasabi.campaigns', $1, true) AS s OFFSET 0) AS scope,
LATERAL (
  SELECT count(*) AS total FROM service_quotes_main AS s
  WHERE s.campaign_id = $2::int AND s.deleted_at IS NULL AND scope.s IS NOT NULL
  OFFSET 0) AS x;

-- name: create
-- $1 scope, $2 campaigns, $3 rows (JSON), $4 client keys, $5 digests, $6 event types, $7 actors,
-- $8 correlation ids, $9 causation ids; answers position, verdict, id, uuid in order of position.
--
-- Where the rows are counted, $10 to $12 are their parents: see `counting`.
WITH scope AS MATERIALIZED (SELECT set_config('ovasabi.campaigns', $1, true) AS s),
input AS MATERIALIZED (
  SELECT u.*, next_id() AS id, jsonb_populate_record(NULL::service_quotes_main, u.data) AS n
  FROM scope, unnest($2::int[], $3::text[]::jsonb[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[],
                     $9::bigint[]) WITH ORDINALITY
    AS u (campaign_id, data, key, digest, event_type, actor, correlation_id, causation_id, position)
  WHERE scope.s IS NOT NULL),
judged AS MATERIALIZED (
  SELECT i.*, id_time(i.id) AS at, id_uuid(i.id) AS uuid, CASE
    WHEN i.key IS NULL THEN NULL
    ELSE (SELECT CASE WHEN d.digest = i.digest THEN 'replayed' ELSE 'key_reused' END
          FROM idempotency AS d WHERE d.campaign_id = i.campaign_id AND d.key = i.key) END AS known,
    i.key IS NOT NULL AND row_number() OVER (PARTITION BY i.campaign_id, i.key ORDER BY i.position) > 1 AS repeated
  FROM input AS i),
decided AS MATERIALIZED (SELECT i.*, CASE WHEN i.known IS NOT NULL THEN i.known WHEN i.repeated THEN 'again'
    WHEN true AND (i.n).user_id IS NOT NULL AND NOT entity_exists(0, (i.n).user_id, 'user') THEN 'missing:user_id'
    WHEN true AND (i.n).product_id IS NOT NULL AND NOT entity_exists(i.campaign_id, (i.n).product_id, 'product') THEN 'missing:product_id' END AS verdict FROM judged AS i),
wanted AS MATERIALIZED (SELECT * FROM decided WHERE verdict IS NULL),
claimed AS (
  INSERT INTO idempotency (campaign_id, key, digest, master_id)
  SELECT i.campaign_id, key, digest, id FROM wanted AS i WHERE key IS NOT NULL ORDER BY 1, key),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, uuid, campaign_id, 'quote', left((n).description::text, 200), at, at FROM wanted),
stored AS (
  INSERT INTO service_quotes_main (campaign_id, created_at, master_id, description, amount, currency, valid_until, user_id, product_id, state, decided_at, reason, metadata, updated_at)
  SELECT campaign_id, at, id, (n).description, (n).amount, (n).currency, (n).valid_until, (n).user_id, (n).product_id, (n).state, (n).decided_at, (n).reason, (n).metadata, at FROM wanted),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'operational', at, id, campaign_id, id, event_type, 1, actor, correlation_id, causation_id,
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
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'quote'
    AND m.status = 1
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_quotes_main AS s SET deleted_at = b.updated_at, updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id
      AND (s.created_at, s.master_id) >= (i.at, i.id) AND (s.created_at, s.master_id) <= (i.at, i.id)
      AND ((s.campaign_id = ANY ($2::int[]) AND s.created_at >= ($4::timestamptz[])[1] AND s.created_at <= ($4::timestamptz[])[cardinality(($4::timestamptz[]))] AND s.created_at = i.at)
        OR (s.campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))
            AND ($4::timestamptz[])[1] <= s.created_at AND ($4::timestamptz[])[cardinality(($4::timestamptz[]))] >= s.created_at AND s.created_at = i.at)) AND s.deleted_at IS NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'operational', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
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
  SELECT k.campaign_id AS asked_by, m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason
  FROM unnest($2::int[], $3::timestamptz[], $4::bigint[]) AS k (campaign_id, at, id)
  CROSS JOIN LATERAL (
    SELECT s.* FROM service_quotes_main AS s
    WHERE s.campaign_id = k.campaign_id
      AND (s.created_at, s.master_id) >= (k.at, k.id) AND (s.created_at, s.master_id) <= (k.at, k.id)
      AND ((s.campaign_id = ANY ($2::int[]) AND s.created_at >= ($3::timestamptz[])[1] AND s.created_at <= ($3::timestamptz[])[cardinality(($3::timestamptz[]))] AND s.created_at = k.at)
        OR (s.campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))
            AND ($3::timestamptz[])[1] <= s.created_at AND ($3::timestamptz[])[cardinality(($3::timestamptz[]))] >= s.created_at AND s.created_at = k.at))
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
  SELECT m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason
  FROM (SELECT s.* FROM service_quotes_main AS s
        WHERE s.campaign_id = $2::int AND s.deleted_at IS NULL AND scope.s IS NOT NULL AND s.created_at <= $3
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
  SELECT m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason
  FROM (SELECT s.* FROM service_quotes_main AS s
        WHERE s.campaign_id = $2::int AND s.deleted_at IS NULL AND scope.s IS NOT NULL AND (s.created_at, s.master_id) < ($3, $4) AND s.created_at <= $3
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
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'quote'
    AND m.status = 2
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_quotes_main AS s SET deleted_at = NULL, updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id
      AND (s.created_at, s.master_id) >= (i.at, i.id) AND (s.created_at, s.master_id) <= (i.at, i.id)
      AND ((s.campaign_id = ANY ($2::int[]) AND s.created_at >= ($4::timestamptz[])[1] AND s.created_at <= ($4::timestamptz[])[cardinality(($4::timestamptz[]))] AND s.created_at = i.at)
        OR (s.campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))
            AND ($4::timestamptz[])[1] <= s.created_at AND ($4::timestamptz[])[cardinality(($4::timestamptz[]))] >= s.created_at AND s.created_at = i.at)) AND s.deleted_at IS NOT NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'operational', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
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
  SELECT h.ranks[array_position(h.ids, s.master_id)] AS rank, h.matched, h.corrected, m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason
  FROM (SELECT array_agg(f.master_id) AS ids, array_agg(f.rank) AS ranks, max(f.matched) AS matched,
               bool_or(f.corrected) AS corrected
        FROM search_entities($2, $3::text[], $4::text[], $5::text[], $6::text[], $7, $8, $9) AS f
        WHERE scope.s IS NOT NULL OFFSET 0) AS h
  CROSS JOIN LATERAL found_entities($2, NULL::service_quotes_main, h.ids) AS s
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
  SELECT i.*, CASE WHEN i.data ? 'user_id' AND (i.n).user_id IS NOT NULL AND NOT entity_exists(0, (i.n).user_id, 'user') THEN 'missing:user_id'
    WHEN i.data ? 'product_id' AND (i.n).product_id IS NOT NULL AND NOT entity_exists(i.campaign_id, (i.n).product_id, 'product') THEN 'missing:product_id' END AS verdict
  FROM (SELECT t.*, jsonb_populate_record(NULL::service_quotes_main, t.data) AS n FROM input AS t) AS i),
bumped AS (
  UPDATE master AS m SET name = CASE WHEN i.data ? 'description' THEN left((i.n).description::text, 200) ELSE m.name END, version = m.version + 1,
    updated_at = date_trunc('milliseconds', clock_timestamp())
  FROM decided AS i
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = 'quote'
    AND m.status = 1
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at),
stored AS (
  UPDATE service_quotes_main AS s SET
    description = CASE WHEN i.data ? 'description' THEN (i.n).description ELSE s.description END,
    amount = CASE WHEN i.data ? 'amount' THEN (i.n).amount ELSE s.amount END,
    currency = CASE WHEN i.data ? 'currency' THEN (i.n).currency ELSE s.currency END,
    valid_until = CASE WHEN i.data ? 'valid_until' THEN (i.n).valid_until ELSE s.valid_until END,
    user_id = CASE WHEN i.data ? 'user_id' THEN (i.n).user_id ELSE s.user_id END,
    product_id = CASE WHEN i.data ? 'product_id' THEN (i.n).product_id ELSE s.product_id END,
    state = CASE WHEN i.data ? 'state' THEN (i.n).state ELSE s.state END,
    decided_at = CASE WHEN i.data ? 'decided_at' THEN (i.n).decided_at ELSE s.decided_at END,
    reason = CASE WHEN i.data ? 'reason' THEN (i.n).reason ELSE s.reason END,
    metadata = CASE WHEN i.data ? 'metadata' THEN metadata_merge(s.metadata, i.data -> 'metadata') ELSE s.metadata END,
    updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND i.position + 0 = i.position AND i.id + 0 = i.id AND s.campaign_id = i.campaign_id
      AND (s.created_at, s.master_id) >= (i.at, i.id) AND (s.created_at, s.master_id) <= (i.at, i.id)
      AND ((s.campaign_id = ANY ($2::int[]) AND s.created_at >= ($4::timestamptz[])[1] AND s.created_at <= ($4::timestamptz[])[cardinality(($4::timestamptz[]))] AND s.created_at = i.at)
        OR (s.campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))
            AND ($4::timestamptz[])[1] <= s.created_at AND ($4::timestamptz[])[cardinality(($4::timestamptz[]))] >= s.created_at AND s.created_at = i.at)) AND s.deleted_at IS NULL
  RETURNING b.position, b.id, b.uuid, b.campaign_id, b.version, b.created_at, s.updated_at, s.metadata, s.description, s.amount, s.currency, s.valid_until, s.user_id, s.product_id, s.state, s.decided_at, s.reason),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT 'operational', e.updated_at, e.event_id, e.campaign_id, e.id, e.event_type, e.version, e.actor,
         e.correlation_id, e.causation_id, e.payload
  FROM (SELECT time_id(b.updated_at) | (nextval('id_sequence') & 4095) AS event_id, b.*,
               i.event_type, i.actor, i.correlation_id, i.causation_id, i.data AS payload
        FROM bumped AS b JOIN decided AS i USING (position)) AS e)
SELECT d.verdict, s.* FROM decided AS d LEFT JOIN stored AS s USING (position) ORDER BY d.position;
