-- What search_table chooses from. These functions see what their caller may see: only the searching role sees rows by the index.
CREATE TYPE search_candidate AS (master_id bigint, rank real, titled boolean);
COMMENT ON TYPE search_candidate IS 'A match, how well it matches, and whether its most weighty text has all the words.';

CREATE FUNCTION all_of(p_terms tsquery[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
  result tsquery := '';
  term tsquery;
BEGIN
  FOREACH term IN ARRAY p_terms LOOP
    result := result && term;
  END LOOP;
  RETURN result;
END $$;
COMMENT ON FUNCTION all_of(tsquery[]) IS 'The query that all of some terms match.';

-- The registry has the ids in order, and an id its month: so of all the months only the newest are planned and read.
-- The row comparison leaves one index only; with equalities the planner may walk all campaigns' ids instead.
CREATE FUNCTION newest_since(p_campaign int, p_type text, p_count int) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
BEGIN
  RETURN (SELECT id_time(min(id))
          FROM (SELECT campaign_id, type, id FROM master WHERE (campaign_id, type, id) <= (p_campaign, p_type, 9223372036854775807)
                ORDER BY campaign_id DESC, type DESC, id DESC LIMIT p_count) AS newest
          WHERE campaign_id = p_campaign AND type = p_type);
END $$;
COMMENT ON FUNCTION newest_since(int, text, int) IS 'The time of the oldest of a campaign''s newest entities of a type; null if there is none.';

-- How common the words are, no statistics tell: not before an ANALYZE, and never of one campaign.
CREATE FUNCTION newest_matching(p_branch text, p_campaign int, p_since timestamptz, p_queries tsquery[], p_count int) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
  counts bigint[];
BEGIN
  EXECUTE format(
    'WITH newest AS MATERIALIZED (
       SELECT search_vector FROM %I WHERE campaign_id = $1 AND created_at >= $2 ORDER BY created_at DESC, master_id DESC LIMIT $4)
     SELECT ARRAY(SELECT (SELECT count(*) FROM newest WHERE search_vector @@ query) FROM unnest($3) AS query)', p_branch)
    INTO counts USING p_campaign, p_since, p_queries, p_count;
  RETURN counts;
END $$;
COMMENT ON FUNCTION newest_matching(text, int, timestamptz, tsquery[], int) IS 'How many of a campaign''s newest rows match each of some queries.';

CREATE FUNCTION newest_candidates(p_branch text, p_campaign int, p_since timestamptz, p_query tsquery, p_titled tsquery, p_limit int) RETURNS search_candidate[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
  chosen search_candidate[];
BEGIN
  EXECUTE format(
    'SELECT ARRAY(SELECT (master_id, ts_rank(search_vector, $3), search_vector @@ $4)::search_candidate
                  FROM %I WHERE campaign_id = $1 AND created_at >= $2 AND deleted_at IS NULL AND search_vector @@ $3
                  ORDER BY created_at DESC, master_id DESC LIMIT $5)', p_branch)
    INTO chosen USING p_campaign, p_since, p_query, p_titled, p_limit;
  RETURN chosen;
END $$;
COMMENT ON FUNCTION newest_candidates(text, int, timestamptz, tsquery, tsquery, int) IS 'Matches among a campaign''s rows since a moment, the newest first.';

-- p_indexed is what the index is asked for; the rest of the query is checked at the rows. Row p_reach, if there is one, has no id:
-- whoever comes to it has found too little in too many rows.
CREATE FUNCTION indexed_candidates(p_branch text, p_condition text, p_campaign int, p_indexed tsquery, p_query tsquery, p_titled tsquery, p_limit int, p_reach int) RETURNS search_candidate[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
DECLARE
  chosen search_candidate[];
BEGIN
  EXECUTE format(
    'SELECT ARRAY(SELECT (CASE WHEN n = $6 THEN NULL ELSE master_id END, ts_rank(search_vector, $3), search_vector @@ $4)::search_candidate
                  FROM (SELECT master_id, search_vector, row_number() OVER () AS n
                        FROM %I WHERE %s AND search_vector @@ $2 AND deleted_at IS NULL LIMIT $6) AS indexed
                  WHERE n = $6 OR search_vector @@ $3 LIMIT $5)', p_branch, p_condition)
    INTO chosen USING p_campaign, p_indexed, p_query, p_titled, p_limit, p_reach;
  RETURN CASE WHEN chosen = '{}' OR chosen[cardinality(chosen)].master_id IS NOT NULL THEN chosen END;
END $$;
COMMENT ON FUNCTION indexed_candidates(text, text, int, tsquery, tsquery, tsquery, int, int) IS
  'Matches of a query among the rows that the full-text index has for a part of it; null if they are not found in p_reach rows.';

CREATE FUNCTION named_candidates(p_branch text, p_condition text, p_campaign int, p_type text, p_names text, p_query tsquery) RETURNS search_candidate[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
DECLARE
  named bigint[];
  chosen search_candidate[];
BEGIN
  EXECUTE format('SELECT ARRAY(SELECT id FROM (SELECT * FROM master WHERE %s OFFSET 0) AS m
                               WHERE m.campaign_id = $1 AND m.type = $2 AND m.status = 1 LIMIT 100)', p_names)
    INTO named USING p_campaign, p_type;
  IF named = '{}' THEN
    RETURN '{}';
  END IF;
  EXECUTE format(
    'SELECT ARRAY(SELECT (t.master_id, ts_rank(t.search_vector, $3), true)::search_candidate
                  FROM unnest($2) AS n (id) CROSS JOIN LATERAL (
                    SELECT master_id, search_vector FROM %I
                    WHERE %s AND created_at = id_time(n.id) AND master_id = n.id AND deleted_at IS NULL
                      AND created_at >= $4 AND created_at <= $5 OFFSET 0) AS t
                  WHERE t.search_vector @@ $3)', p_branch, p_condition)
    INTO chosen USING p_campaign, named, p_query,
         (SELECT id_time(min(id)) FROM unnest(named) AS id), (SELECT id_time(max(id)) FROM unnest(named) AS id);
  RETURN chosen;
END $$;
COMMENT ON FUNCTION named_candidates(text, text, int, text, text, tsquery) IS 'Matches among the entities whose name meets a condition.';

-- The branch of its own that a campaign may have, else the pool.
CREATE FUNCTION search_branch(p_table text, p_campaign int) RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN to_regclass(format('%I', p_table || '_c' || p_campaign)) IS NULL THEN p_table || '_pool' ELSE p_table || '_c' || p_campaign END $$;
COMMENT ON FUNCTION search_branch(text, int) IS 'The partition of a table that holds a campaign''s rows.';

CREATE FUNCTION inhabited_types(p_campaign int, p_types text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  PERFORM require_scope(p_campaign);
  RETURN ARRAY(SELECT t.name FROM entity_type t
               WHERE t.name = ANY (p_types) AND t.searchable AND (t.scope <> 'campaign' OR newest_since(p_campaign, t.name, 1) IS NOT NULL));
END $$;
COMMENT ON FUNCTION inhabited_types(int, text[]) IS 'Those of the types that a search of a campaign may find something of.';
