-- The directory of campaigns, which is the platform's: their numbers and slugs, and where they are.

-- name: find
-- A campaign by slug or number, one that is neither deleted nor lost before others. $1 slug, $2 number, $3 whether deleted ones count.
-- scope: none
SELECT d.number, d.shard, d.state = 'lost' AS lost FROM campaign_directory AS d
WHERE (d.slug = $1 OR d.number = $2) AND (d.state IN ('active', 'lost') OR ($3 AND d.state = 'deleted'))
ORDER BY d.state, d.changed_at DESC LIMIT 1

-- name: shard
-- The server of a campaign. $1 number.
-- scope: none
SELECT d.shard FROM campaign_directory AS d WHERE d.number = $1

-- name: loads
-- How many campaigns each server has.
-- scope: none
SELECT d.shard, count(*) AS campaigns FROM campaign_directory AS d WHERE d.state <> 'deleted' GROUP BY d.shard

-- name: known
-- The campaigns that were entered under client keys. $1 keys.
-- scope: none
SELECT d.key, d.number, d.shard FROM campaign_directory AS d WHERE d.key = ANY ($1::text[])

-- name: ids
-- The ids of campaigns on their own server. $1 scope, $2 campaigns.
-- scope: read
SELECT s.campaign_id AS number, s.master_id AS id FROM service_campaign_main AS s
WHERE s.campaign_id = ANY ($2::int[]) AND scope.s IS NOT NULL

-- name: enter
-- Enters campaigns that are about to be created. $1 slugs, $2 client keys, $3 servers. Returns the number and server of each, in order: of one that was
-- entered under the same key, that one's; null if the slug is taken. A slug that is refused draws no number.
-- scope: none
WITH wanted AS (
  SELECT w.slug, w.key, w.position, d.number AS known, coalesce(d.shard, w.shard) AS shard, coalesce(d.state, 'creating') AS state,
         row_number() OVER (PARTITION BY w.slug, d.number IS NULL ORDER BY w.position) AS turn
  FROM unnest($1::text[], $2::text[], $3::smallint[]) WITH ORDINALITY AS w (slug, key, shard, position) LEFT JOIN campaign_directory AS d ON d.key = w.key),
entered AS (
  INSERT INTO campaign_directory (number, slug, shard, state, key)
  SELECT nextval('campaign_number'), f.slug, f.shard, 'creating', f.key
  FROM (SELECT w.* FROM wanted AS w
        WHERE w.known IS NULL AND w.turn = 1
          AND NOT EXISTS (SELECT 1 FROM campaign_directory AS d WHERE d.slug = w.slug AND d.state <> 'deleted')
        ORDER BY w.position OFFSET 0) AS f
  ON CONFLICT DO NOTHING RETURNING number, slug, shard, key)
SELECT coalesce(w.known, e.number) AS number, coalesce(e.shard, w.shard) AS shard, w.state
FROM wanted AS w LEFT JOIN entered AS e ON w.known IS NULL AND e.slug = w.slug AND (w.turn = 1 OR e.key = w.key)
ORDER BY w.position

-- name: take_over
-- Takes over entries whose creation was interrupted, with their numbers and servers. $1 slugs, $2 client keys, $3 seconds since they were entered. A
-- creation without a key leaves the entry the one that it has: if that creation was carried out, its repetition finds it.
-- scope: none
UPDATE campaign_directory AS d SET changed_at = clock_timestamp(), key = coalesce(w.key, d.key)
FROM (SELECT DISTINCT ON (u.slug) u.slug, u.key FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (slug, key, position)
      ORDER BY u.slug, u.position) AS w
WHERE d.slug = w.slug AND d.state = 'creating' AND d.changed_at < clock_timestamp() - $3::float8 * interval '1 second'
RETURNING d.slug, d.number, d.shard, d.state

-- name: abandon
-- Makes an entry of an unfinished creation old enough to be taken over. $1 number, $2 seconds.
-- scope: none
UPDATE campaign_directory AS d SET changed_at = least(d.changed_at, clock_timestamp() - $2::float8 * interval '1 second')
WHERE d.number = $1 AND d.state = 'creating'

-- name: free
-- Frees the slug and key of an entry whose campaign was certainly not created. $1 number.
-- scope: none
UPDATE campaign_directory AS d SET state = 'deleted', key = NULL, changed_at = clock_timestamp() WHERE d.number = $1 AND d.state = 'creating'

-- name: claim
-- Makes the slug of a deleted campaign its own again. $1 number.
-- scope: none
UPDATE campaign_directory SET state = 'active', changed_at = clock_timestamp() WHERE number = $1 AND state = 'deleted'

-- name: entry
-- The entry of a campaign. $1 number.
-- scope: none
SELECT d.state, d.changed_at FROM campaign_directory AS d WHERE d.number = $1

-- name: entity
-- What became of a campaign, on its own server: no row if it was never created. $1 scope, $2 campaign.
-- scope: read
SELECT s.slug, s.deleted_at IS NOT NULL AS deleted FROM service_campaign_main AS s WHERE s.campaign_id = $2 AND scope.s IS NOT NULL

-- name: settle
-- Sets the state of an entry that has not changed since it was read. $1 number, $2 state, $3 when it had changed. Of a campaign that was never
-- created ($4), the key is freed with the slug.
-- scope: none
UPDATE campaign_directory SET state = $2, key = CASE WHEN $4 THEN NULL ELSE key END, changed_at = clock_timestamp()
WHERE number = $1 AND changed_at = $3

-- name: entities
-- All campaigns of a server, in order, after one. $1 scope, $2 the platform, $3 number, $4 limit.
-- scope: read
SELECT s.campaign_id AS number, s.slug, s.deleted_at IS NOT NULL AS deleted FROM service_campaign_main AS s
WHERE ($2::int = 0 OR s.campaign_id = $2) AND s.campaign_id > $3 AND scope.s IS NOT NULL ORDER BY s.campaign_id LIMIT $4

-- name: differing
-- Those of a server's campaigns that the directory lacks, or has in another state. $1 numbers, $2 whether they are deleted.
-- scope: none
SELECT u.number, d.number IS NULL AS missing FROM unnest($1::int[], $2::boolean[]) AS u (number, deleted)
LEFT JOIN campaign_directory AS d ON d.number = u.number
WHERE d.number IS NULL OR d.state <> CASE WHEN u.deleted THEN 'deleted' ELSE 'active' END

-- name: expected
-- The campaigns that a server should have. $1 server.
-- scope: none
SELECT d.number, d.slug FROM campaign_directory AS d WHERE d.shard = $1 AND d.state IN ('active', 'lost') ORDER BY d.number

-- name: lose
-- Marks campaigns as lost. $1 numbers. Returns those that were not.
-- scope: none
UPDATE campaign_directory AS d SET state = 'lost', changed_at = clock_timestamp() WHERE d.number = ANY ($1::int[]) AND d.state = 'active'
RETURNING d.number, d.slug

-- name: abandoned
-- The campaigns of a server whose creation was interrupted. $1 seconds since then, $2 server.
-- scope: none
SELECT d.number FROM campaign_directory AS d
WHERE d.shard = $2 AND d.state = 'creating' AND d.changed_at < clock_timestamp() - $1::float8 * interval '1 second'

-- name: adopt
-- Enters a campaign that exists; no row if its slug is taken. $1 number, $2 slug, $3 state, $4 server.
-- scope: none
INSERT INTO campaign_directory (number, slug, state, shard) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING number
