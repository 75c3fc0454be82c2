-- Partitions.

-- name: tables
-- The partitioned tables of entities.
-- scope: none
SELECT table_name FROM entity_type WHERE scope = 'campaign' ORDER BY table_name

-- name: make_branch
-- Creates a campaign's own partition of a table, if it is missing. $1 table, $2 campaign.
-- scope: none
SELECT create_dedicated($1, $2)

-- name: make_month
-- Creates the leaf of a month, if it is missing. $1 parent, $2 month.
-- scope: none
SELECT create_month($1, $2)
