-- Which campaigns have events that were not seen.

-- name: now
-- Which transactions have ended, and the database's clock.
-- scope: none
SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS at

-- name: changed
-- The same, and the campaigns with an event in ranges of transactions. $1 scope, $2 campaigns, $3 and $4 the first and last of each range,
-- $5 streams, $6 and $7 the time in which all those events lie.
-- By the order, and in the pool for it, the index of (campaign_id, xid, id) is the only way in. The texts are made ids where they are unnested:
-- the error of a cast in a condition could tell what it was compared with, so PostgreSQL checks such a condition behind the policy
-- (15.20 does, 15.18 did not), and there it bounds no index.
-- scope: read
SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS at, ARRAY(
  SELECT k.campaign_id
  FROM unnest($2::int[], $3::text[]::xid8[], $4::text[]::xid8[]) AS k (campaign_id, first, last)
  CROSS JOIN LATERAL (
    SELECT true FROM service_event AS e
    WHERE e.stream = ANY ($5::varchar[]) AND e.occurred_at >= $6 AND e.occurred_at <= $7
      AND e.campaign_id = k.campaign_id AND e.xid >= k.first AND e.xid <= k.last AND scope.s IS NOT NULL
    ORDER BY e.xid, e.id LIMIT 1) AS x) AS changed
