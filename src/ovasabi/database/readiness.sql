-- Whether a server can do what a call needs.

-- name: state
-- Whether the session can write, and which tables lack the month that new rows are in.
-- scope: none
SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::boolean AS read_only, to_char(month.at, 'YYYY-MM') AS month,
       ARRAY(SELECT p.name FROM (
               SELECT 'service_event_' || stream AS name FROM unnest(ARRAY['operational', 'analytics', 'audit']) AS stream
               UNION ALL SELECT t.table_name || '_pool' FROM entity_type AS t WHERE t.scope = 'campaign') AS p
             WHERE to_regclass(quote_ident(p.name || to_char(month.at, '_YYYYMM'))) IS NULL ORDER BY p.name)::text[] AS missing
FROM (SELECT present_time() AT TIME ZONE 'UTC' AS at OFFSET 0) AS month
