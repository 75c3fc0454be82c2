-- The existing partitions.

-- name: parents
-- Every parent of monthly leaves (an event stream, a pool, or a campaign's own branch), with its leaves.
-- scope: none
SELECT c.relname AS parent, coalesce(array_agg(l.relname) FILTER (WHERE l.relname IS NOT NULL), '{}') AS leaves
FROM pg_class AS c
JOIN pg_inherits AS i ON i.inhrelid = c.oid
JOIN pg_class AS r ON r.oid = i.inhparent
  AND (r.relname = 'service_event' OR r.relname IN (SELECT table_name FROM entity_type))
LEFT JOIN pg_inherits AS j ON j.inhparent = c.oid
LEFT JOIN pg_class AS l ON l.oid = j.inhrelid
WHERE c.relkind = 'p' GROUP BY c.relname ORDER BY c.relname

-- name: missing_branches
-- Where a campaign that has partitions of its own in some table has none in another.
-- scope: none
WITH branch AS (
  SELECT r.relname AS table_name, substring(c.relname FROM length(r.relname) + 3)::int AS campaign
  FROM pg_class AS c
  JOIN pg_inherits AS i ON i.inhrelid = c.oid
  JOIN pg_class AS r ON r.oid = i.inhparent AND r.relname IN (SELECT table_name FROM entity_type)
  WHERE c.relname ~ ('^' || r.relname || '_c[0-9]+$'))
SELECT t.table_name, b.campaign
FROM entity_type AS t CROSS JOIN (SELECT DISTINCT campaign FROM branch) AS b
WHERE t.scope = 'campaign' AND (t.table_name, b.campaign) NOT IN (SELECT table_name, campaign FROM branch)
ORDER BY b.campaign, t.table_name

-- name: present
-- The present among the rows: while the clock is set back, they are ahead of it.
-- scope: none
SELECT present_time() AS at

-- name: missing
-- The leaves that are missing for the month that new rows are in, also of campaigns with partitions of their own.
-- scope: none
SELECT leaf.name FROM pg_class AS c
JOIN pg_inherits AS i ON i.inhrelid = c.oid
JOIN pg_class AS r ON r.oid = i.inhparent
  AND (r.relname = 'service_event' OR r.relname IN (SELECT table_name FROM entity_type))
CROSS JOIN (SELECT to_char(present_time() AT TIME ZONE 'UTC', '_YYYYMM') AS suffix OFFSET 0) AS month
CROSS JOIN LATERAL (SELECT c.relname || month.suffix AS name) AS leaf
WHERE c.relkind = 'p' AND to_regclass(quote_ident(leaf.name)) IS NULL ORDER BY leaf.name
