-- Locks of a transaction, and leases: a token identifies the holder of a lease, and increases with each holder.

-- name: named
-- Holds a named lock of a campaign until the transaction ends. $1 name, $2 campaign.
-- scope: none
SELECT pg_advisory_xact_lock(hashtextextended($1, $2))

-- name: entity
-- Locks the registry row of an entity until the transaction ends; new references to it are still possible. $1 campaign, $2 id.
-- scope: transaction
SELECT 1 FROM master WHERE campaign_id = $1 AND id = $2 FOR NO KEY UPDATE

-- name: acquire
-- Acquires a lease that is free or has expired; returns no row if it is held. $1 scope, $2 campaign, $3 name, $4 holder, $5 seconds.
-- scope: write
INSERT INTO lease AS l (campaign_id, name, token, holder, expires_at, seconds)
SELECT $2, $3, 1, $4, clock_timestamp() + $5::float8 * interval '1 second', $5 FROM scope WHERE scope.s IS NOT NULL
ON CONFLICT (campaign_id, name) DO UPDATE
  SET token = l.token + 1, holder = excluded.holder, expires_at = excluded.expires_at, seconds = excluded.seconds
  WHERE l.expires_at < clock_timestamp()
RETURNING token

-- name: shorten
-- Shortens a lease that lasts longer than it was acquired for, because the clock was set back: from now on it has its full length. $1 scope,
-- $2 campaign, $3 name.
-- scope: write
UPDATE lease AS l SET expires_at = clock_timestamp() + l.seconds * interval '1 second'
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND l.campaign_id = $2 AND l.name = $3
  AND l.expires_at > clock_timestamp() + l.seconds * interval '1 second'

-- name: renew
-- Renews a lease, or releases it with 0 seconds, after which no clock makes it held; returns no row if it was lost. $1 scope, $2 campaign, $3 name,
-- $4 token, $5 seconds.
-- scope: write
UPDATE lease AS l
SET seconds = $5, expires_at = CASE WHEN $5::float8 > 0 THEN clock_timestamp() + $5::float8 * interval '1 second' ELSE '-infinity' END
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND l.campaign_id = $2 AND l.name = $3 AND l.token = $4
  AND ($5::float8 = 0 OR l.expires_at > clock_timestamp())
RETURNING l.token
