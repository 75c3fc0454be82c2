-- Gives every existing partition what let_search, create_dedicated and create_month give a new one. It commits after each, and skips those
-- that lack nothing: locking thousands of partitions would have to wait for all concurrent work.
-- requires: events/refuse_event_change
-- covers: partitions
-- transaction: none
DO $$
DECLARE
  target record;
  foreign_policy record;
BEGIN
  FOR target IN
    WITH partition AS (
      SELECT c.oid, c.relname, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS secured, e.name IS NOT NULL AS read, p.inhparent,
             EXISTS (SELECT 1 FROM pg_inherits AS s WHERE s.inhrelid = p.inhparent AND s.inhparent = 'service_event'::regclass) AS events
      FROM pg_class AS c JOIN pg_inherits AS p ON p.inhrelid = c.oid LEFT JOIN entity_type AS e ON to_regclass(quote_ident(e.table_name)) = p.inhparent
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND p.inhparent <> 'service_event'::regclass
        AND (pg_partition_root(c.oid) = 'service_event'::regclass
             OR pg_partition_root(c.oid) IN (SELECT to_regclass(quote_ident(table_name)) FROM entity_type)))
    SELECT oid::regclass AS name, relowner, secured, read,
           ARRAY(SELECT polname FROM pg_policy AS y WHERE y.polrelid = partition.oid AND NOT (read AND y.polname = 'search_read')
                 AND y.polroles && ARRAY[0, 'ovasabi_app'::regrole, 'ovasabi_search'::regrole, 'ovasabi_owner'::regrole]::oid[])::text[] AS policies,
           EXISTS (SELECT 1 FROM (SELECT grantee, privilege_type FROM pg_class AS o CROSS JOIN LATERAL aclexplode(o.relacl) WHERE o.oid = partition.oid
                                  UNION ALL SELECT grantee, privilege_type FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl)
                                  WHERE a.attrelid = partition.oid AND a.attacl IS NOT NULL) AS g
                   WHERE g.grantee <> relowner AND g.grantee IN (0, 'ovasabi_app'::regrole, 'ovasabi_search'::regrole)
                     AND NOT (read AND g.grantee = 'ovasabi_search'::regrole AND g.privilege_type = 'SELECT')) AS granted,
           read AND NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = partition.oid AND polname = 'search_read' AND polcmd = 'r' AND polpermissive
                                AND polroles = ARRAY['ovasabi_search'::regrole::oid] AND pg_get_expr(polqual, polrelid) = 'true') AS unread,
           events AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = partition.oid AND tgname = 'service_event_no_truncate' AND tgenabled = 'O') AS truncated
    FROM partition ORDER BY 1 LOOP
    IF target.relowner <> 'ovasabi_owner'::regrole THEN
      EXECUTE 'RESET ROLE';  -- only the login may have the right
      EXECUTE format('ALTER TABLE %s OWNER TO ovasabi_owner', target.name);
      EXECUTE 'SET ROLE ovasabi_owner';
    END IF;
    FOR foreign_policy IN SELECT unnest(target.policies) AS name LOOP
      EXECUTE format('DROP POLICY %I ON %s', foreign_policy.name, target.name);
    END LOOP;
    IF NOT target.secured THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target.name);
      EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target.name);
    END IF;
    IF target.granted THEN
      EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, ovasabi_app, ovasabi_search', target.name);
    END IF;
    IF target.unread THEN
      EXECUTE format('DROP POLICY IF EXISTS search_read ON %s', target.name);
      EXECUTE format('CREATE POLICY search_read ON %s FOR SELECT TO ovasabi_search USING (true)', target.name);
    END IF;
    IF target.read AND NOT has_table_privilege('ovasabi_search', target.name, 'SELECT') THEN
      EXECUTE format('GRANT SELECT ON %s TO ovasabi_search', target.name);
    END IF;
    IF target.truncated THEN
      EXECUTE format('DROP TRIGGER IF EXISTS service_event_no_truncate ON %s', target.name);
      EXECUTE format('CREATE TRIGGER service_event_no_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change()', target.name);
    END IF;
    COMMIT;
  END LOOP;
END $$;
