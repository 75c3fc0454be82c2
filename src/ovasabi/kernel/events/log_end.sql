-- The ends of the epochs of the event log, and whose positions are of this log.

-- name: ended
-- The last positions of those epochs that have ended, as far as they are known.
-- scope: none
SELECT epoch, last_position FROM log_epoch WHERE last_position IS NOT NULL

-- name: number
-- The number of the server in its ids, and whether it has made one.
-- scope: none
SELECT (last_value & 31)::int AS number, is_called AS used FROM id_clock

-- name: issued
-- Whether a position is that of an event of a campaign. $1 scope, $2 campaign, $3 streams, $4 the time of its id, $5 and $6 the position.
-- scope: read
SELECT 1 FROM service_event AS e
WHERE e.campaign_id = $2 AND e.stream = ANY ($3::varchar[]) AND e.occurred_at = $4 AND e.xid = $5::text::xid8 AND e.id = $6
  AND scope.s IS NOT NULL
