-- The epochs of the event log.

-- name: arrive
-- Begins a new epoch if the log has come to another server; returns why.
-- scope: none
SELECT log_arrived()

-- name: begin
-- Begins a new epoch. $1 the reason.
-- scope: none
SELECT new_log_epoch($1)

-- name: state
-- The present epoch, and why a new one is needed, if it is.
-- scope: none
SELECT max(epoch) AS epoch, log_moved() AS moved FROM log_epoch
