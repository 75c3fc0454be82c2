-- What `ovasabi status` tells of a database.

-- name: campaigns
-- How many campaigns there are.
-- scope: transaction
SELECT count(*) FROM service_campaign_main WHERE deleted_at IS NULL

-- name: leaves
-- How many partitions with rows of their own there are.
-- scope: none
SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'
