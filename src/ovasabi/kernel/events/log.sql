-- The event log, read in the order of (epoch and transaction, id).

-- name: page
-- The end of the log, and the next events of a campaign after a position; without new events, one row with the end of the log. $1 scope,
-- $2 streams, $3 campaign, $4 a lower bound for the times of these events, $5 and $6 the position, $7 types or null for all, $8 entity or null
-- for all, $9 limit. The page ends before the event that exceeds 2 MiB; one always comes (PAGE_BYTES, see kernel/statements/bounding.py). What is
-- stored of the payloads is counted first, so that no more of them are read. OFFSET 0: the end of the log is formatted once, not for each row.
-- scope: read
SELECT log.text AS horizon, log.id AS horizon_id, log.epochs, x.*
FROM (SELECT horizon, horizon::text AS text, time_id(present_time() + interval '1 hour') AS id, epochs FROM log_end() OFFSET 0) AS log
LEFT JOIN LATERAL (
  SELECT p.id, p.event_type, p.campaign_id, p.master_id, p.version, p.occurred_at, p.actor, p.correlation_id, p.causation_id, p.payload, p.xid::text AS xid
  FROM (
    SELECT p.*, sum(CASE WHEN p.stored <= 2097152 THEN 1024 + 2 * octet_length(p.payload::text) END) OVER log AS bytes
    FROM (
      SELECT e.*, row_number() OVER log AS number, sum(pg_column_size(e.payload)) OVER log AS stored
      FROM (
        SELECT e.* FROM service_event AS e
        WHERE e.stream = ANY ($2::varchar[]) AND e.campaign_id = $3 AND e.occurred_at >= $4
          AND (e.xid, e.id) > ($5::text::xid8, $6) AND e.xid < log.horizon
          AND ($7::text[] IS NULL OR e.event_type = ANY ($7)) AND ($8::bigint IS NULL OR e.master_id = $8)
          AND scope.s IS NOT NULL
        ORDER BY e.xid, e.id LIMIT $9) AS e
      WINDOW log AS (ORDER BY e.xid, e.id ROWS UNBOUNDED PRECEDING)) AS p
    WINDOW log AS (ORDER BY p.xid, p.id ROWS UNBOUNDED PRECEDING)) AS p
  WHERE p.stored <= 2097152 AND p.bytes <= 2097152 OR p.number = 1
  ORDER BY p.xid, p.id) AS x ON true

-- name: has
-- Whether a campaign's log has an event. $1 scope, $2 campaign, $3 streams, $4 id, $5 and $6 between which times.
-- scope: read
SELECT e.id FROM service_event AS e
WHERE e.stream = ANY ($3::varchar[]) AND e.campaign_id = $2 AND e.id = $4 AND e.occurred_at >= $5 AND e.occurred_at <= $6
  AND scope.s IS NOT NULL
