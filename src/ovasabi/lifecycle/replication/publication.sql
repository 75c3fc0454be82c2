-- What home publishes: the platform's rows.

-- name: publishable
-- The tables of entities of the platform, and whether the server can publish changes.
-- scope: none
SELECT current_setting('wal_level') = 'logical' AS logical,
       ARRAY(SELECT table_name FROM entity_type WHERE scope = 'global' ORDER BY table_name)::text[] AS tables

-- name: published
-- The tables of the publication; no row if there is none.
-- scope: none
SELECT ARRAY(SELECT c.relname FROM pg_publication_rel AS r JOIN pg_class AS c ON c.oid = r.prrelid WHERE r.prpubid = p.oid)::text[] AS tables
FROM pg_publication AS p WHERE p.pubname = 'ovasabi_platform'

-- name: publish
-- The statement that creates the publication, or sets its tables. $1 tables, $2 whether it exists.
-- scope: none
SELECT CASE WHEN $2 THEN 'ALTER PUBLICATION ovasabi_platform SET TABLE ' ELSE 'CREATE PUBLICATION ovasabi_platform FOR TABLE ' END
       || string_agg(format('public.%I', name) || CASE name WHEN 'master' THEN ' WHERE (campaign_id = 0)' ELSE '' END, ', ' ORDER BY name) AS sql
FROM unnest($1::text[]) AS name
