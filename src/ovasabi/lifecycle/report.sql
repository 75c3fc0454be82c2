-- What `ovasabi status` tells of a database.

-- name: campaigns
-- How many campaigns there are.
-- scope: none
SELECT count(*) FROM campaign_directory WHERE state = 'active'

-- name: leaves
-- How many partitions with rows of their own there are.
-- scope: none
SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'

-- name: ids
-- The server's number in ids, and by how much ids are ahead of the clock, because it was set back.
-- scope: none
SELECT (last_value & 31)::int AS server_number,
       greatest(0, round(extract(epoch FROM id_time(last_value) - clock_timestamp())))::int AS ids_ahead_seconds
FROM id_clock

-- name: writable
-- Whether the server accepts changes.
-- scope: none
SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean
