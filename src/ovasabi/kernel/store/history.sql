-- The past of an entity.

-- name: by_key
-- The entity that was created with a client's key. $1 scope, $2 campaign, $3 key.
-- scope: read
SELECT d.master_id FROM idempotency AS d WHERE d.campaign_id = $2 AND d.key = $3 AND scope.s IS NOT NULL

-- name: ids_by_key
-- The ids of the entities that were created under the keys. $1 scope, $2 campaign, $3 keys.
-- scope: read
SELECT d.key, d.master_id FROM idempotency AS d
WHERE d.campaign_id = $2 AND d.key = ANY ($3::text[]) AND scope.s IS NOT NULL

-- name: events
-- An entity's events up to a point in time, oldest first. $1 scope, $2 stream, $3 created_at, $4 the point in time, $5 campaign, $6 id, $7 type.
-- scope: read
SELECT e.event_type, e.occurred_at, e.version, e.payload, m.uuid
FROM service_event AS e JOIN master AS m ON m.campaign_id = e.campaign_id AND m.id = e.master_id
WHERE e.stream = $2 AND e.occurred_at >= $3 AND e.occurred_at <= $4 AND e.campaign_id = $5 AND e.master_id = $6
  AND m.type = $7 AND scope.s IS NOT NULL
ORDER BY e.occurred_at, e.version, e.id
