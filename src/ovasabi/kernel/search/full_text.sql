-- Full-text search over several entity types.

-- name: search
-- The best matches of each type. $1 scope, $2 campaign, then as `search_entities`: $3 types, $4 terms, $5 words, $6 excluded, $7 whole, $8 limit,
-- $9 candidates. It reads through a function only, so that no table is planned each time: see docs/decisions/0013.
-- scope: read
SELECT h.type, h.master_id, h.rank, h.matched, h.corrected
FROM search_entities($2, $3::text[], $4::text[], $5::text[], $6::text[], $7, $8, $9) AS h WHERE scope.s IS NOT NULL
