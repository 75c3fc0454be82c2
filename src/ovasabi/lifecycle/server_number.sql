-- The server's number: the lowest bits of the sequence of ids, which its increment never changes (sql/ids/next_id.sql).

-- name: state
-- The number, and whether an id was made with it.
-- scope: none
SELECT (last_value & 31)::int AS number, is_called AS used FROM id_clock

-- name: choose
-- Sets the number of a database without ids. $1 number.
-- scope: none
SELECT setval('id_clock', $1, false) FROM id_clock WHERE NOT is_called

-- name: catch_up
-- Moves the sequence past the newest event, if that is ahead of it: a logical copy of a database does not include sequences.
-- scope: none
SELECT setval('id_clock', (time_id(newest.at) + 4096) | (last_value & 31))
FROM id_clock, (SELECT max(occurred_at) AS at FROM service_event WHERE stream IN ('operational', 'analytics', 'audit')) AS newest
WHERE last_value < time_id(newest.at)
