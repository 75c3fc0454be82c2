-- Reading the registry.

-- name: get
-- One record, including that of a deleted entity. $1 scope, $2 campaign, $3 id.
-- scope: read
SELECT m.id, m.uuid, m.campaign_id, m.type, m.name, m.status, m.version, m.created_at, m.updated_at
FROM master AS m WHERE m.campaign_id = $2 AND m.id = $3 AND scope.s IS NOT NULL

-- name: get_many
-- The records of the entities that are not deleted. $1 scope, $2 campaign, $3 ids.
-- scope: read
SELECT m.id, m.uuid, m.campaign_id, m.type, m.name, m.status, m.version, m.created_at, m.updated_at
FROM master AS m
WHERE m.campaign_id = $2 AND m.id = ANY ($3::bigint[]) AND m.status = 1 AND scope.s IS NOT NULL

-- name: list
-- A page in the order of ids. $1 scope, $2 campaign, $3 type or null for all, $4 the last id of the previous page, $5 whether to include deleted
-- entities, $6 limit.
-- scope: read
SELECT m.id, m.uuid, m.campaign_id, m.type, m.name, m.status, m.version, m.created_at, m.updated_at
FROM master AS m
WHERE m.campaign_id = $2 AND ($3::text IS NULL OR m.type = $3) AND m.id > $4 AND ($5 OR m.status = 1) AND scope.s IS NOT NULL
ORDER BY m.id LIMIT $6

-- name: search
-- Records by name, best match first. $1 scope, $2 campaign, then as for `search_names`: $3 types or null for all, $4 query, $5 mode, $6 limit.
-- scope: read
SELECT m.id, m.uuid, m.campaign_id, m.type, m.name, m.status, m.version, m.created_at, m.updated_at, h.rank
FROM search_names($2, $3::text[], $4, $5, $6) AS h
JOIN LATERAL (SELECT * FROM master WHERE campaign_id = $2 AND id = h.master_id OFFSET 0) AS m ON true
WHERE scope.s IS NOT NULL ORDER BY h.rank DESC, m.id DESC
