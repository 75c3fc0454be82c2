-- The platform's rows on the other servers: PostgreSQL's own logical replication, from home.

-- name: publishable
-- The tables of entities of the platform, and whether the server can publish changes.
-- scope: none
SELECT current_setting('wal_level') = 'logical' AS logical,
       ARRAY(SELECT table_name FROM entity_type WHERE scope = 'global' ORDER BY table_name)::text[] AS tables

-- name: published
-- The tables of the publication; no row if there is none.
-- scope: none
SELECT ARRAY(SELECT c.relname FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid WHERE r.prpubid = p.oid
             ORDER BY c.relname COLLATE "C")::text[] AS tables
FROM pg_publication AS p WHERE p.pubname = 'ovasabi_platform'

-- name: publish
-- The statement that creates the publication, or sets its tables. $1 tables, $2 whether it exists.
-- scope: none
SELECT CASE WHEN $2 THEN 'ALTER PUBLICATION ovasabi_platform SET TABLE ' ELSE 'CREATE PUBLICATION ovasabi_platform FOR TABLE ' END
       || string_agg(format('public.%I', name) || CASE name WHEN 'master' THEN ' WHERE (campaign_id = 0)' ELSE '' END, ', ' ORDER BY name) AS sql
FROM unnest($1::text[]) AS name

-- name: subscribe
-- The statement that creates the subscription of this server. $1 the URL of home, $2 the name of the slot.
-- scope: none
SELECT format('CREATE SUBSCRIPTION ovasabi_platform CONNECTION %L PUBLICATION ovasabi_platform WITH (slot_name = %L%s)', $1::text, $2::text,
              CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ', run_as_owner = true' ELSE '' END) AS sql

-- name: reconnect
-- The statement that sets where the subscription finds home. $1 the URL.
-- scope: none
SELECT format('ALTER SUBSCRIPTION ovasabi_platform CONNECTION %L', $1::text) AS sql

-- name: refresh
-- Subscribes to tables that were published since.
-- scope: none
ALTER SUBSCRIPTION ovasabi_platform REFRESH PUBLICATION

-- name: system
-- Which PostgreSQL server this is, and which of its databases.
-- scope: none
SELECT system_identifier AS server, (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database FROM pg_control_system()

-- name: subscribed
-- The state of this server's subscription: no row if there is none. A table is ready when its rows have been copied.
-- scope: none
SELECT s.subenabled AS enabled, t.pid IS NOT NULL AS running,
       (SELECT count(*) FROM pg_subscription_rel AS r WHERE r.srsubid = s.oid AND r.srsubstate NOT IN ('r', 's'))::int AS copying
FROM pg_stat_subscription AS t RIGHT JOIN pg_subscription AS s ON t.subid = s.oid AND t.relid IS NULL
WHERE s.subname = 'ovasabi_platform' AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
