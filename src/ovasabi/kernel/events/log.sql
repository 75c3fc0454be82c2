-- The event log, read in the order of (epoch and transaction, id).

-- name: page
-- The end of the log, and the next events of a campaign after a position; without new events, one row with the end of the log. $1 scope,
-- $2 streams, $3 campaign, $4 a lower bound for the times of these events, $5 and $6 the position, $7 types or null for all, $8 entity or null
-- for all, $9 limit. OFFSET 0: the end of the log is formatted once, not for each row.
-- scope: read
SELECT log.text AS horizon, log.id AS horizon_id, log.epochs, x.*
FROM (SELECT horizon, horizon::text AS text, time_id(present_time() + interval '1 hour') AS id, epochs FROM log_end() OFFSET 0) AS log
LEFT JOIN LATERAL (
  SELECT e.id, e.event_type, e.campaign_id, e.master_id, e.version, e.occurred_at, e.actor, e.correlation_id, e.causation_id, e.payload,
         e.xid::text AS xid
  FROM service_event AS e
  WHERE e.stream = ANY ($2::varchar[]) AND e.campaign_id = $3 AND e.occurred_at >= $4
    AND (e.xid, e.id) > ($5::text::xid8, $6) AND e.xid < log.horizon
    AND ($7::text[] IS NULL OR e.event_type = ANY ($7)) AND ($8::bigint IS NULL OR e.master_id = $8)
    AND scope.s IS NOT NULL
  ORDER BY e.xid, e.id LIMIT $9) AS x ON true

-- name: has
-- Whether a campaign's log has an event. $1 scope, $2 campaign, $3 streams, $4 id, $5 and $6 between which times.
-- scope: read
SELECT e.id FROM service_event AS e
WHERE e.stream = ANY ($3::varchar[]) AND e.campaign_id = $2 AND e.id = $4 AND e.occurred_at >= $5 AND e.occurred_at <= $6
  AND scope.s IS NOT NULL
