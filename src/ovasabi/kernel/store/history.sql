-- The past of an entity.

-- name: by_key
-- The entity that was created with a key, and the digest of the request. $1 scope, $2 campaign, $3 key, $4 caller, or empty for a key of the platform.
-- scope: read
SELECT d.master_id, d.digest FROM idempotency AS d
WHERE d.campaign_id = $2 AND d.key = $3 AND d.caller IN ($4, '') AND scope.s IS NOT NULL
ORDER BY d.caller DESC LIMIT 1

-- name: ids_by_key
-- The ids of the entities that were created under the platform's own keys. $1 scope, $2 campaign, $3 keys.
-- scope: read
SELECT d.key, d.master_id FROM idempotency AS d
WHERE d.campaign_id = $2 AND d.key = ANY ($3::text[]) AND d.caller = '' AND scope.s IS NOT NULL

-- name: events
-- An entity's next events of a time range, in the order of their ids, up to 2 MiB of them; one always comes (PAGE_BYTES, see kernel/statements/bounding.py).
-- $1 scope, $2 campaign, $3 stream, $4 and $5 the range, $6 id, $7 type, $8 the last id of the previous part, $9 limit. `more` says that others follow.
-- scope: read
SELECT p.id, p.event_type, p.occurred_at, p.version, p.actor, p.payload, m.uuid, p.more
FROM (
  SELECT p.*, sum(CASE WHEN p.stored <= 2097152 THEN octet_length(p.payload::text) END) OVER log AS bytes, lead(true) OVER log AS more
  FROM (
    SELECT e.*, row_number() OVER log AS number, sum(pg_column_size(e.payload)) OVER log AS stored
    FROM (
      SELECT e.* FROM service_event AS e
      WHERE e.stream = $3 AND e.occurred_at >= $4 AND e.occurred_at <= $5 AND e.campaign_id = $2 AND e.master_id = $6
        AND e.id > $8 AND scope.s IS NOT NULL
      ORDER BY e.id LIMIT $9) AS e
    WINDOW log AS (ORDER BY e.id ROWS UNBOUNDED PRECEDING)) AS p
  WINDOW log AS (ORDER BY p.id ROWS UNBOUNDED PRECEDING)) AS p
JOIN master AS m ON m.campaign_id = p.campaign_id AND m.id = p.master_id
WHERE (p.stored <= 2097152 AND p.bytes <= 2097152 OR p.number = 1) AND m.type = $7 AND scope.s IS NOT NULL
ORDER BY p.id

-- name: order
-- The next events of a time range, without their payloads. $1 to $9 as for `events`.
-- scope: read
SELECT e.id, e.occurred_at, e.version, false AS more
FROM service_event AS e
WHERE e.stream = $3 AND e.occurred_at >= $4 AND e.occurred_at <= $5 AND e.campaign_id = $2 AND e.master_id = $6
  AND e.id > $8 AND scope.s IS NOT NULL
  AND EXISTS (SELECT 1 FROM master AS m WHERE m.campaign_id = $2 AND m.id = $6 AND m.type = $7 AND scope.s IS NOT NULL)
ORDER BY e.id LIMIT $9

-- name: one
-- One event. $1 scope, $2 campaign, $3 stream, $4 its time, $5 entity, $6 id.
-- scope: read
SELECT e.event_type, e.occurred_at, e.version, e.actor, e.payload, m.uuid
FROM service_event AS e JOIN master AS m ON m.campaign_id = e.campaign_id AND m.id = e.master_id
WHERE e.stream = $3 AND e.occurred_at = $4 AND e.campaign_id = $2 AND e.master_id = $5 AND e.id = $6 AND scope.s IS NOT NULL
