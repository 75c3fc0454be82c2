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
