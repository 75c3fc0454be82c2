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
-- An entity's events of a time range, in the order of their ids. $1 scope, $2 stream, $3 and $4 the range, $5 campaign, $6 id, $7 type.
-- scope: read
SELECT e.event_type, e.occurred_at, e.version, e.actor, e.payload, m.uuid
FROM service_event AS e JOIN master AS m ON m.campaign_id = e.campaign_id AND m.id = e.master_id
WHERE e.stream = $2 AND e.occurred_at >= $3 AND e.occurred_at <= $4 AND e.campaign_id = $5 AND e.master_id = $6
  AND m.type = $7 AND scope.s IS NOT NULL
ORDER BY e.id
