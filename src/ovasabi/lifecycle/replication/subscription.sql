-- The subscription of a server to the platform's rows, and its replication slot at home.

-- name: subscribe
-- The statement that creates the subscription of this server. $1 the URL of home, $2 the name of the slot.
-- scope: none
SELECT format('CREATE SUBSCRIPTION ovasabi_platform CONNECTION %L PUBLICATION ovasabi_platform WITH (slot_name = %L%s)', $1::text, $2::text,
              CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ', run_as_owner = true' ELSE '' END) AS sql

-- name: reconnect
-- The statement that sets where the subscription finds home. $1 the URL.
-- scope: none
SELECT format('ALTER SUBSCRIPTION ovasabi_platform CONNECTION %L', $1::text) AS sql

-- name: enable
-- Goes on with a subscription that was disabled.
-- scope: none
ALTER SUBSCRIPTION ovasabi_platform ENABLE

-- name: refresh
-- Subscribes to tables that were published since.
-- scope: none
ALTER SUBSCRIPTION ovasabi_platform REFRESH PUBLICATION

-- name: disable
-- Ends the workers of a subscription.
-- scope: none
ALTER SUBSCRIPTION ovasabi_platform DISABLE

-- name: leave
-- Leaves the slot of a subscription alone: it may be at a home that is gone.
-- scope: none
ALTER SUBSCRIPTION ovasabi_platform SET (slot_name = NONE)

-- name: unsubscribe
-- Drops a subscription that has no slot.
-- scope: none
DROP SUBSCRIPTION ovasabi_platform

-- name: system
-- Which PostgreSQL server this is, and which of its databases.
-- scope: none
SELECT system_identifier AS server, (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database FROM pg_control_system()

-- name: slots
-- The slots at home of a server, of any database and PostgreSQL server that has had its number. $1 the number.
-- scope: none
SELECT s.slot_name::text AS name, s.active, (SELECT host(r.client_addr) FROM pg_stat_replication AS r WHERE r.pid = s.active_pid) AS address
FROM pg_replication_slots AS s
WHERE s.database = current_database() AND s.plugin = 'pgoutput' AND s.slot_name ~ format('^ovasabi_[0-9]+_([0-9]+_[0-9]+_)?%s$', $1::int)

-- name: release
-- Drops the slots at home of a server, and those of its copies of tables that were interrupted. $1 the number.
-- scope: none
WITH slots AS MATERIALIZED (
  SELECT s.slot_name AS name, substring(s.slot_name FROM '^ovasabi_[0-9]+_([0-9]+)_[0-9]+_') AS server FROM pg_replication_slots AS s
  WHERE s.database = current_database() AND s.plugin = 'pgoutput' AND s.slot_name ~ format('^ovasabi_[0-9]+_([0-9]+_[0-9]+_)?%s$', $1::int))
SELECT pg_drop_replication_slot(d.name) FROM (
  SELECT name FROM slots
  UNION SELECT c.slot_name FROM pg_replication_slots AS c JOIN slots AS s ON c.slot_name ~ format('^pg_[0-9]+_sync_[0-9]+_%s$', s.server)
  WHERE c.database = current_database() AND NOT c.active) AS d
