-- Polling the event log, and the horizon up to which it can be read. All transactions before the oldest running one have ended, so a poll sees
-- all of their events: it has read the log up to the transaction before the oldest running one (the horizon). The event id of the horizon is one
-- of an hour ahead, so that it comes after each event of that transaction even if a statement took a while; and `earliest` can still derive from it
-- the months in which to read on.

-- name: horizon
-- The horizon, the epochs of the log, and the snapshot: its oldest running transaction, and the newest, before which some have ended.
-- scope: none
SELECT log.horizon::text AS horizon, time_id(present_time() + interval '1 hour') AS horizon_id, log.epochs,
       pg_snapshot_xmin(s)::text AS oldest, pg_snapshot_xmax(s)::text AS newest
FROM log_end() AS log, pg_current_snapshot() AS s

-- name: poll
-- The horizon, the epochs of the log, the snapshot, and the next events of some campaigns, each after its own position. $1 scope, $2 campaigns, $3 and $4 their positions, $5 streams,
-- $6 a lower bound for the times of the events, $7 types or null for all, $8 entity or null for all, $9 limit per campaign, $10 limit of the
-- payloads in bytes per campaign, which a first event may exceed; `more` says that another event was found. Events of other types are returned without their payload. OFFSET 0: the end of the log is formatted once, not for each row.
-- The texts are cast to ids where they are unnested. A cast in the condition on (xid, id) would keep the condition out of the index scan: the
-- error of a failed cast could reveal the value it was compared with, so PostgreSQL (15.20, unlike 15.18) checks such a condition after the policy.
-- scope: read
SELECT k.number, log.text AS horizon, log.id AS horizon_id, log.epochs, log.oldest, log.newest, x.*
FROM (SELECT horizon, horizon::text AS text, time_id(present_time() + interval '1 hour') AS id, epochs,
             pg_snapshot_xmin(s)::text AS oldest, pg_snapshot_xmax(s)::text AS newest
      FROM log_end(), pg_current_snapshot() AS s OFFSET 0) AS log
CROSS JOIN unnest($2::int[], $3::text[]::xid8[], $4::bigint[]) WITH ORDINALITY AS k (campaign_id, xid, id, number)
LEFT JOIN LATERAL (
  SELECT p.id, p.event_type, p.campaign_id, p.master_id, p.version, p.occurred_at, p.actor, p.correlation_id, p.causation_id,
         CASE WHEN p.wanted THEN p.payload END AS payload, p.xid::text AS xid, p.wanted, p.more
  FROM (
    SELECT p.*, sum(CASE WHEN p.wanted AND p.stored <= $10 THEN octet_length(p.payload::text) ELSE 0 END) OVER log AS bytes, lead(true) OVER log AS more
    FROM (
      SELECT e.*, row_number() OVER log AS place, sum(CASE WHEN e.wanted THEN pg_column_size(e.payload) ELSE 0 END) OVER log AS stored
      FROM (
        SELECT e.*, $7::text[] IS NULL OR e.event_type = ANY ($7) AS wanted FROM service_event AS e
        WHERE e.stream = ANY ($5::varchar[]) AND e.campaign_id = k.campaign_id AND e.occurred_at >= $6
          AND (e.xid, e.id) > (k.xid, k.id) AND e.xid < log.horizon
          AND ($8::bigint IS NULL OR e.master_id = $8) AND scope.s IS NOT NULL
        ORDER BY e.xid, e.id LIMIT $9) AS e
      WINDOW log AS (ORDER BY e.xid, e.id ROWS UNBOUNDED PRECEDING)) AS p
    WINDOW log AS (ORDER BY p.xid, p.id ROWS UNBOUNDED PRECEDING)) AS p
  WHERE p.stored <= $10 AND p.bytes <= $10 OR p.place = 1
  ORDER BY p.xid, p.id) AS x ON true
