-- The only query across all campaigns; it returns ids, but no contents. A process finds the operations here that no other process works on,
-- for the services that run in it. A pause takes seconds, and a lease as long as it says: what lasts longer does so because the clock was set
-- back, and is returned too. Whoever then tries to acquire such a lease shortens it.
CREATE OR REPLACE FUNCTION due_operations(p_services text[], p_each int, p_most int) RETURNS TABLE (campaign_id int, operation_id bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
  SELECT d.campaign_id, d.operation_id
  FROM (SELECT w.campaign_id, w.operation_id,
               row_number() OVER (PARTITION BY w.campaign_id ORDER BY w.operation_id) AS turn
        FROM operation_work AS w
        LEFT JOIN lease AS l ON l.campaign_id = w.campaign_id AND l.name = 'operation:' || w.operation_id
        WHERE w.service = ANY (p_services)
          AND w.not_before NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 minute'
          AND (l.expires_at IS NULL OR l.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + l.seconds * interval '1 second')) AS d
  WHERE d.turn <= p_each ORDER BY d.turn, d.operation_id LIMIT p_most
$$;
COMMENT ON FUNCTION due_operations(text[], int, int) IS 'Operations that wait for a process: the first few of each campaign, in turn.';

REVOKE EXECUTE ON FUNCTION due_operations(text[], int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION due_operations(text[], int, int) TO ovasabi_app;
