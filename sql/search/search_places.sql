-- The registry is ordered by id, and an id contains its month, so only the newest months have to be read.
-- With the row comparison, only one index is usable; with equality conditions, the planner might read the ids of all campaigns instead.
-- A campaign has its own branch, or is in the pool, where the campaign is one of the words.
-- requires: search/search_place, search/search_branch, ids/id_time
CREATE OR REPLACE FUNCTION search_places(p_campaign int, p_types text[], p_sample int) RETURNS search_place[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
  place search_place;
  places search_place[] := '{}';
BEGIN
  FOR place IN
    SELECT t.name, t.table_name, t.scope, '', n.rows, n.since
    FROM entity_type t CROSS JOIN LATERAL (
      SELECT count(*) AS rows, id_time(min(id)) AS since
      FROM (SELECT campaign_id, type, id FROM master WHERE (campaign_id, type, id) <= (p_campaign, t.name, 9223372036854775807)
            ORDER BY campaign_id DESC, type DESC, id DESC LIMIT p_sample) AS newest
      WHERE campaign_id = p_campaign AND type = t.name) AS n
    WHERE t.name = ANY (p_types) AND t.searchable AND (t.scope <> 'campaign' OR n.rows > 0) LOOP
    IF place.scope = 'campaign' THEN
      place.branch := search_branch(place.branch, p_campaign);
      place.here := CASE WHEN place.branch LIKE '%\_pool' THEN format('%L', ' ' || p_campaign) ELSE '' END;
    END IF;
    places := places || place;
  END LOOP;
  RETURN places;
END $$;
COMMENT ON FUNCTION search_places(int, text[], int) IS 'Where a search of a campaign may find something of some types.';
