-- What `ovasabi status` tells of a database.

-- name: campaigns
-- How many campaigns there are.
-- scope: none
SELECT count(*) FROM campaign_directory WHERE state = 'active'

-- name: leaves
-- How many partitions with rows of their own there are.
-- scope: none
SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'
