-- Pending lists.

-- name: merge
-- Merges the pending lists of a table's full-text indexes into the indexes. $1 the table.
-- scope: none
SELECT merge_pending_list($1)
