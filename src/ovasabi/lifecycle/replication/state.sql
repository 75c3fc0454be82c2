-- What PostgreSQL tells of a subscription, on its server and at home.

-- name: worker
-- The subscription of this server: no row if there is none. A table is copied when it is ready, or synchronized.
-- scope: none
SELECT s.subenabled AS enabled, s.subslotname::text AS slot,
       ARRAY(SELECT c.relname FROM pg_subscription_rel AS r JOIN pg_class AS c ON c.oid = r.srrelid WHERE r.srsubid = s.oid)::text[] AS tables,
       (SELECT count(*) FROM pg_subscription_rel AS r WHERE r.srsubid = s.oid AND r.srsubstate NOT IN ('r', 's'))::int AS copying,
       -- Of the workers, the one that neither copies a table nor helps another one.
       (SELECT t.pid FROM pg_stat_subscription AS t
        WHERE t.subid = s.oid AND t.relid IS NULL AND to_jsonb(t) ->> 'leader_pid' IS NULL AND t.last_msg_receipt_time IS NOT NULL) AS pid,
       coalesce(e.apply_error_count, 0)::int AS apply_errors, coalesce(e.sync_error_count, 0)::int AS copy_errors,
       (SELECT string_agg(replace(substr(c.key, 7), '_', ' '), ', ' ORDER BY c.key) FROM jsonb_each_text(to_jsonb(e)) AS c
        WHERE c.key LIKE 'confl\_%' AND c.value <> '0') AS conflicts
FROM pg_subscription AS s LEFT JOIN pg_stat_subscription_stats AS e ON e.subid = s.oid
WHERE s.subname = 'ovasabi_platform' AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: slot
-- A replication slot of home's database: no row if there is none. $1 its name.
-- scope: none
SELECT active, coalesce(wal_status = 'lost', false) AS lost FROM pg_replication_slots
WHERE slot_name = $1 AND database = current_database() AND plugin = 'pgoutput'

-- name: written
-- How far home has written its log.
-- scope: none
SELECT pg_current_wal_flush_lsn()::text AS position

-- name: arrived
-- Whether the changes up to a position of home's log are at the server of a slot. $1 the slot's name, $2 the position.
-- scope: none
SELECT confirmed_flush_lsn >= $2::text::pg_lsn AS arrived FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()
