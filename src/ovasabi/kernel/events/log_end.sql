-- The ends of the epochs of the event log.

-- name: ended
-- The last positions of those epochs that have ended, as far as they are known.
-- scope: none
SELECT epoch, last_position FROM log_epoch WHERE last_position IS NOT NULL
