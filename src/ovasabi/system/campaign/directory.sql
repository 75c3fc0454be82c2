-- The directory of campaigns.

-- name: find
-- The number of a campaign, one that is not deleted before others. $1 the platform's scope, $2 slug, $3 number, $4 whether deleted ones count.
-- scope: read
SELECT s.campaign_id FROM service_campaign_main AS s
WHERE (s.slug = $2 OR s.campaign_id = $3) AND ($4 OR s.deleted_at IS NULL) AND scope.s IS NOT NULL
ORDER BY s.deleted_at DESC NULLS FIRST LIMIT 1
