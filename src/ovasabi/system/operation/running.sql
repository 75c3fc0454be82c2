-- Which operations wait for a process.

-- name: due
-- The first few of each campaign, in turn: numbers, and nothing of what is in them. $1 services that run here, $2 of each campaign, $3 in all.
-- scope: none
SELECT campaign_id, operation_id FROM due_operations($1, $2, $3)
