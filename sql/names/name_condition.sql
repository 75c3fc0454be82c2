-- The condition that a name contains all the words: exactly, or each with one typing error. Null if there are no words. The keys
-- contain the campaign, so this is the only condition, isolated by OFFSET 0: without statistics, the planner would prefer to compute the
-- keys of all the campaign's names over using the index.
-- requires: names/name_keys
CREATE OR REPLACE FUNCTION name_condition(p_campaign int, p_words text[], p_fuzzy boolean) RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN p_fuzzy
        THEN string_agg(format('name_keys(campaign_id, name) && %L::text[]', name_keys(p_campaign, word)), ' AND ')
        ELSE format('name_keys(campaign_id, name) @> %L::text[]', array_agg(p_campaign || ':' || word)) END
      FROM unnest(p_words) AS word HAVING count(*) > 0 $$;
