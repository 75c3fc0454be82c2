-- The operations that are waiting for a process.

-- name: due
-- The first few of each campaign, alternating between campaigns: only ids, no contents. $1 services that run here, $2 limit per campaign, $3 limit.
-- scope: none
SELECT campaign_id, operation_id FROM due_operations($1, $2, $3)
