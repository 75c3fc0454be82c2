-- The server's number: the lowest bits of the sequence of ids, which its increment never changes (sql/ids/next_id.sql).

-- name: state
-- The number, and whether an id was made with it.
-- scope: none
SELECT (last_value & 31)::int AS number, is_called AS used FROM id_clock

-- name: choose
-- Sets the number of a database without ids. $1 number.
-- scope: none
SELECT setval('id_clock', $1, false) FROM id_clock WHERE NOT is_called
