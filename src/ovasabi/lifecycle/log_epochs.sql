-- The epochs of the event log.

-- name: arrive
-- Begins a new epoch if the log has come to another server; returns why.
-- scope: none
SELECT log_arrived()

-- name: begin
-- Begins a new epoch. $1 the reason.
-- scope: none
SELECT new_log_epoch($1)

-- name: limit
-- Records the last position of an epoch that has ended on another server, where that is known exactly. $1 the position.
-- scope: none
UPDATE log_epoch SET last_position = $1::bigint WHERE epoch = ($1::bigint >> 48)::int

-- name: state
-- The present epoch, and why a new one is needed, if it is.
-- scope: none
SELECT max(epoch) AS epoch, log_moved() AS moved FROM log_epoch
