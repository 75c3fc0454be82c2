-- How far the event log can be seen, and what is there. All transactions before the oldest running one have ended, and a look sees them all:
-- it has seen the log up to the transaction before that, whatever its id (the horizon). The id of this place lies an hour ahead, so that it
-- is behind each of that transaction's events even if a clock was set back, and still tells `earliest` in which months to read on.

-- name: end
-- The horizon.
-- scope: none
SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text AS horizon,
       time_id(clock_timestamp() + interval '1 hour') AS horizon_id

-- name: look
-- The horizon, and the next events of some campaigns behind a place each. $1 scope, $2 campaigns, $3 and $4 their places, $5 streams, $6 the time
-- before which no event lies, $7 types or null for all, $8 entity or null for all, $9 limit of each. Events of other types come without payload.
-- A cast in the condition on (xid, id) would keep it from bounding the index: its error could tell what it was compared with, so
-- PostgreSQL checks such a condition behind the policy (15.20 does, 15.18 did not). The texts are made ids where they are unnested.
-- scope: read
SELECT k.number, (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 1)::text AS horizon,
       time_id(clock_timestamp() + interval '1 hour') AS horizon_id, x.*
FROM unnest($2::int[], $3::text[]::xid8[], $4::bigint[]) WITH ORDINALITY AS k (campaign_id, xid, id, number)
LEFT JOIN LATERAL (
  SELECT e.id, e.event_type, e.campaign_id, e.master_id, e.version, e.occurred_at, e.actor, e.correlation_id,
         e.causation_id, CASE WHEN w.wanted THEN e.payload END AS payload, e.xid::text AS xid, w.wanted
  FROM service_event AS e
  CROSS JOIN LATERAL (SELECT $7::text[] IS NULL OR e.event_type = ANY ($7) AS wanted) AS w
  WHERE e.stream = ANY ($5::varchar[]) AND e.campaign_id = k.campaign_id AND e.occurred_at >= $6
    AND (e.xid, e.id) > (k.xid, k.id) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
    AND ($8::bigint IS NULL OR e.master_id = $8) AND scope.s IS NOT NULL
  ORDER BY e.xid, e.id LIMIT $9) AS x ON true
