-- What a repository asks beside the statements of its entity.

-- name: draw_numbers
-- Numbers for new campaigns, never used before. $1 how many.
-- scope: none
SELECT nextval('campaign_number')::int FROM generate_series(1, $1)
