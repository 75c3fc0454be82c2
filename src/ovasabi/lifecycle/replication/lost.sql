-- What a server has of the platform that home lacks.

-- name: newest
-- The highest number of a campaign on this server.
-- scope: none
SELECT coalesce(max(campaign_id), 0) AS number FROM service_campaign_main

-- name: draw_past
-- Moves the sequence of campaign numbers, at home, past a number that is ahead of it. $1 the number.
-- scope: none
SELECT setval('campaign_number', $1::int) FROM campaign_number WHERE last_value < $1::int OR (last_value = $1::int AND NOT is_called)

-- name: keys
-- The API keys on this server, in order. $1 the last one read, $2 limit.
-- scope: none
SELECT prefix FROM api_key WHERE prefix > $1 ORDER BY prefix LIMIT $2

-- name: ids
-- The entities of the platform on this server, in order. $1 the last one read, $2 limit.
-- scope: none
SELECT id FROM master WHERE campaign_id = 0 AND id > $1 ORDER BY id LIMIT $2

-- name: lacks_key
-- Those API keys that home lacks. $1 prefixes.
-- scope: none
SELECT u.prefix FROM unnest($1::text[]) AS u (prefix) WHERE NOT EXISTS (SELECT 1 FROM api_key AS k WHERE k.prefix = u.prefix)

-- name: lacks_id
-- Those entities of the platform that home lacks. $1 ids.
-- scope: none
SELECT u.id FROM unnest($1::bigint[]) AS u (id) WHERE NOT EXISTS (SELECT 1 FROM master AS m WHERE m.campaign_id = 0 AND m.id = u.id)

-- name: revoked
-- The API keys that were revoked.
-- scope: none
SELECT prefix, revoked_at AS at FROM api_key WHERE revoked_at IS NOT NULL

-- name: revoke
-- Revokes API keys at home. $1 prefixes, $2 when. Returns those that were not revoked.
-- scope: none
UPDATE api_key AS k SET revoked_at = r.at FROM unnest($1::text[], $2::timestamptz[]) AS r (prefix, at)
WHERE k.prefix = r.prefix AND k.revoked_at IS NULL RETURNING k.prefix

-- name: drop_keys
-- Drops API keys on this server. $1 prefixes.
-- scope: none
DELETE FROM api_key WHERE prefix = ANY ($1::text[])

-- name: delete
-- Marks entities of the platform on this server as deleted. $1 ids. Returns those that were not.
-- scope: none
UPDATE master SET status = 2 WHERE campaign_id = 0 AND id = ANY ($1::bigint[]) AND status <> 2 RETURNING id

-- name: tables
-- For each table of entities of the platform, the statement that drops rows. $1 of that: ids.
-- scope: none
SELECT format('DELETE FROM public.%I WHERE master_id = ANY ($1::bigint[])', table_name) AS sql FROM entity_type WHERE scope = 'global'
