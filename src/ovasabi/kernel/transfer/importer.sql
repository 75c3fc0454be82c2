-- The entities that an import has already created.

-- name: ids_by_key
-- The ids of the entities that were created under the keys. $1 scope, $2 campaign, $3 keys.
-- scope: read
SELECT d.key, d.master_id FROM idempotency AS d
WHERE d.campaign_id = $2 AND d.key = ANY ($3::text[]) AND d.caller = '' AND scope.s IS NOT NULL
