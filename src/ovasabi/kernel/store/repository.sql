-- The statements of a repository that do not depend on its entity.

-- name: draw_numbers
-- Reserves numbers for new campaigns that were never used before. $1 how many.
-- scope: none
SELECT nextval('campaign_number')::int FROM generate_series(1, $1)
