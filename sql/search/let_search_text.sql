-- A search reads each branch (a pool, a campaign's own branch, or a whole table without campaigns) through functions of that branch, so that a
-- session plans them only once: planning took longer than searching. They have the rights of their caller: only the search role can read rows
-- through the full-text index.
-- requires: search/search_found, ids/id_time
CREATE OR REPLACE PROCEDURE let_search_text(p_table text, p_branch text, p_scope text)
LANGUAGE plpgsql
AS $$
DECLARE
  own text := CASE p_scope WHEN 'global' THEN 'p_campaign = 0' WHEN 'root' THEN '(p_campaign = 0 OR campaign_id = p_campaign)'
                           ELSE 'campaign_id = p_campaign' END;
  -- Rows by their ids, n. In a campaign's branch they are read in the order of the primary key: no other index has this order, so the planner
  -- prefers none, not even in a plan made while a month was empty. The time alone determines the month.
  key text := CASE p_scope WHEN 'campaign' THEN 't.campaign_id = p_campaign AND t.created_at >= n.at AND t.created_at <= n.at AND t.master_id = n.id AND t.deleted_at IS NULL
                                                 ORDER BY t.created_at DESC, t.master_id DESC LIMIT 1'
                           WHEN 'root' THEN own || ' AND t.created_at = n.at AND t.master_id = n.id AND t.deleted_at IS NULL OFFSET 0'
                           ELSE own || ' AND t.master_id = n.id AND t.deleted_at IS NULL OFFSET 0' END;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = quote_ident(p_branch)::regclass AND attname = 'search_vector') THEN
    RETURN;
  END IF;
  -- Only the full-text index can be used: the branch is named directly instead of being pruned by a condition on campaign_id, which the
  -- planner would consider selective if its statistics are outdated. p_reach, if not null, limits the rows of p_indexed that are read.
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION %1$I(p_campaign int, p_here tsquery, p_indexed tsquery, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
    LANGUAGE plpgsql STABLE SET enable_seqscan = off
    AS $body$
    DECLARE
      found search_found;
      indexed tsquery := p_indexed && p_here;
      exact boolean := p_indexed = p_query;
    BEGIN
      IF p_reach IS NULL THEN
        SELECT array_agg(m.id), array_agg(m.rank), count(*), count(*) FILTER (WHERE m.rank >= 0.6), false INTO found
        FROM (SELECT master_id AS id, ts_rank(search_vector, p_query) AS rank
              FROM %2$I WHERE %3$s AND search_vector @@ indexed AND deleted_at IS NULL AND (exact OR search_vector @@ p_query) LIMIT p_limit) AS m;
      ELSE
        SELECT array_agg(m.id) FILTER (WHERE m.is), array_agg(m.rank) FILTER (WHERE m.is), count(*) FILTER (WHERE m.is),
               count(*) FILTER (WHERE m.is AND m.rank >= 0.6), coalesce(bool_or(NOT m.is), false) INTO found
        FROM (SELECT master_id AS id, ts_rank(search_vector, p_query) AS rank, n <= p_reach AS is
              FROM (SELECT master_id, search_vector, row_number() OVER () AS n
                    FROM %2$I WHERE %3$s AND search_vector @@ indexed AND deleted_at IS NULL LIMIT p_reach + 1) AS read
              WHERE n > p_reach OR search_vector @@ p_query LIMIT p_limit) AS m;
      END IF;
      RETURN found;
    END $body$ $f$, p_branch || '_lookup', p_branch, CASE p_scope WHEN 'campaign' THEN 'campaign_id + 0 = p_campaign' ELSE own END);
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION %1$I(p_campaign int, p_ids bigint[]) RETURNS SETOF %2$I
    LANGUAGE plpgsql STABLE ROWS 20 SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    AS $body$
    BEGIN
      RETURN QUERY SELECT s.* FROM (SELECT id, id_time(id) AS at FROM unnest(p_ids) AS i (id) OFFSET 0) AS n CROSS JOIN LATERAL (
        SELECT t.* FROM %3$I AS t WHERE %4$s) AS s;
    END $body$ $f$, p_branch || '_rows', p_table, p_branch, key);
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION %1$I(p_campaign int, p_named bigint[], p_query tsquery) RETURNS search_found
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    AS $body$
    DECLARE
      found search_found;
    BEGIN
      SELECT array_agg(s.master_id), array_agg(ts_rank(s.search_vector, p_query)), count(*), count(*), false INTO found
      FROM (SELECT id, id_time(id) AS at FROM unnest(p_named) AS i (id) OFFSET 0) AS n CROSS JOIN LATERAL (
        SELECT t.master_id, t.search_vector FROM %2$I AS t WHERE %3$s) AS s
      WHERE s.search_vector @@ p_query;
      RETURN found;
    END $body$ $f$, p_branch || '_named', p_branch, key);
  IF p_scope <> 'campaign' THEN
    RETURN;
  END IF;
  -- Samples how common the words are: statistics do not show this before an ANALYZE, and never for a single campaign.
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION %1$I(p_campaign int, p_since timestamptz, p_queries tsquery[], p_count int) RETURNS int[]
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    AS $body$
    BEGIN
      IF cardinality(p_queries) = 1 THEN
        RETURN ARRAY[(SELECT count(*) FROM (SELECT search_vector FROM %2$I WHERE campaign_id = p_campaign AND created_at >= p_since
                                            ORDER BY created_at DESC, master_id DESC LIMIT p_count) AS newest
                      WHERE search_vector @@ p_queries[1])::int];
      END IF;
      RETURN (
        WITH newest AS MATERIALIZED (
          SELECT search_vector FROM %2$I WHERE campaign_id = p_campaign AND created_at >= p_since
          ORDER BY created_at DESC, master_id DESC LIMIT p_count)
        SELECT ARRAY(SELECT (SELECT count(*)::int FROM newest WHERE search_vector @@ query) FROM unnest(p_queries) AS query));
    END $body$ $f$, p_branch || '_sample', p_branch);
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION %1$I(p_campaign int, p_since timestamptz, p_query tsquery, p_limit int, p_reach int) RETURNS search_found
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
    AS $body$
    DECLARE
      found search_found;
    BEGIN
      SELECT array_agg(m.id), array_agg(m.rank), count(*), count(*) FILTER (WHERE m.rank >= 0.6), false INTO found
      FROM (SELECT master_id AS id, ts_rank(search_vector, p_query) AS rank
            FROM (SELECT master_id, search_vector, deleted_at FROM %2$I WHERE campaign_id = p_campaign AND created_at >= p_since
                  ORDER BY created_at DESC, master_id DESC LIMIT p_reach) AS newest
            WHERE deleted_at IS NULL AND search_vector @@ p_query LIMIT p_limit) AS m;
      RETURN found;
    END $body$ $f$, p_branch || '_newest', p_branch);
END $$;
COMMENT ON PROCEDURE let_search_text(text, text, text) IS 'Makes the functions that read a branch for a search: _lookup, _rows, _named, and of a campaign''s branch also _sample and _newest.';

-- Replaces the functions of the existing branches.
DO $$
DECLARE
  target text;
  branch text;
  kind text;
BEGIN
  FOR target, branch, kind IN
    SELECT t.table_name, t.table_name, t.scope FROM entity_type t WHERE t.scope <> 'campaign'
    UNION ALL SELECT t.table_name, b.relname, t.scope FROM entity_type t JOIN pg_inherits i ON i.inhparent = to_regclass(quote_ident(t.table_name))
                     JOIN pg_class b ON b.oid = i.inhrelid WHERE t.scope = 'campaign' LOOP
    CONTINUE WHEN to_regclass(quote_ident(branch)) IS NULL;
    CALL let_search_text(target, branch, kind);
  END LOOP;
END $$;
