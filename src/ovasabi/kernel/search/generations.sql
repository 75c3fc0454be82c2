-- Which campaigns have new events.

-- name: now
-- The snapshot of the transactions that have ended, and the present.
-- scope: none
SELECT pg_current_snapshot()::text AS snapshot, present_time() AS at

-- name: changed
-- The same, the epoch of the log, and the campaigns with an event in their ranges. $1 scope, $2 campaigns, $3 and $4 the first and last position of
-- each range, $5 streams, $6 and $7 the time range of all those events.
-- Because of the order, and the settings of the pool, the index on (campaign_id, xid, id) is the only access path. The texts are cast to ids where
-- they are unnested: the error of a failed cast in a condition could reveal the value it was compared with, so PostgreSQL (15.20, unlike 15.18)
-- checks such a condition after the policy, where it cannot be an index condition.
-- scope: read
SELECT pg_current_snapshot()::text AS snapshot, present_time() AS at, (SELECT max(epoch) FROM log_epoch) AS epoch, ARRAY(
  SELECT k.campaign_id
  FROM unnest($2::int[], $3::text[]::xid8[], $4::text[]::xid8[]) AS k (campaign_id, first, last)
  CROSS JOIN LATERAL (
    SELECT true FROM service_event AS e
    WHERE e.stream = ANY ($5::varchar[]) AND e.occurred_at >= $6 AND e.occurred_at <= $7
      AND e.campaign_id = k.campaign_id AND e.xid >= k.first AND e.xid <= k.last AND scope.s IS NOT NULL
    ORDER BY e.xid, e.id LIMIT 1) AS x) AS changed
