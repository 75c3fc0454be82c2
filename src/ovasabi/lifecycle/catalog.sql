-- What PostgreSQL's catalog says about the objects of sql/: whether they exist, and are still as they were applied.

-- name: path
-- Ensures that names are shown without their schema, whatever the login's own search path is.
-- scope: none
SET LOCAL search_path = public, pg_temp

-- name: facts
-- The facts, each with the object that it is about. For partitions, which are alike, the name is a pattern, with one row per value; the value
-- of `partition …` and `role …` describes what is wrong with it. A fact with a repair is wrong by itself: what was added or disabled by hand.
-- Expressions are formatted by this major version of PostgreSQL. $1 the names of functions and triggers, $2 the functions with their types.
-- scope: none
WITH role AS (
  SELECT oid, rolname::text AS name FROM pg_roles WHERE rolname IN ('ovasabi_owner', 'ovasabi_app', 'ovasabi_search')
  UNION ALL SELECT 0, 'PUBLIC'),
entity AS (SELECT to_regclass(quote_ident(table_name)) AS oid, table_name::text AS name, scope::text FROM entity_type),
relation AS (
  SELECT c.oid, c.oid::regclass::text AS name, c.relkind AS kind, c.relowner AS owner, c.relacl AS acl, c.relispartition AS partition, p.inhparent AS parent,
         CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.oid::regclass AS label,
         concat_ws(', ', CASE WHEN c.relrowsecurity THEN 'enabled' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END) AS security,
         CASE WHEN e.oid IS NULL THEN c.relname::text ELSE 'entities' END AS subject
  FROM pg_class AS c LEFT JOIN pg_inherits AS p ON p.inhrelid = c.oid LEFT JOIN entity AS e ON e.oid = c.oid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')),
base AS (SELECT * FROM relation WHERE NOT partition OR parent = to_regclass('service_event')),
branch AS (  -- what a search reads
  SELECT r.oid, r.name, e.name AS entity, e.name || '_*' AS pattern, true AS read FROM relation AS r JOIN entity AS e ON e.oid = r.parent
  UNION ALL SELECT r.oid, r.name, r.name, r.name, false FROM relation AS r JOIN entity AS e ON e.oid = r.oid WHERE e.scope <> 'campaign'),
partition AS (
  SELECT r.*, coalesce(b.pattern, g.pattern || '_*', u.name || '_*') AS pattern, coalesce(b.read, false) AS read, u.parent = to_regclass('service_event') AS events
  FROM relation AS r JOIN relation AS u ON u.oid = r.parent LEFT JOIN branch AS b ON b.oid = r.oid LEFT JOIN branch AS g ON g.oid = r.parent
  WHERE r.partition AND r.parent <> to_regclass('service_event')
    AND (pg_partition_root(r.oid) = to_regclass('service_event') OR pg_partition_root(r.oid) IN (SELECT oid FROM entity))),
own AS (  -- our functions, and those by which a branch is searched, with the types of their parameters
  SELECT s.name, coalesce((SELECT string_agg(format_type(to_regtype(t.type), NULL), ', ' ORDER BY t.n)
                           FROM string_to_table(s.types, ', ') WITH ORDINALITY AS t (type, n)), '') AS types
  FROM unnest($2::text[]) AS g (text) CROSS JOIN LATERAL (SELECT split_part(g.text, '(', 1) AS name, rtrim(split_part(g.text, '(', 2), ')') AS types) AS s),
searching (kind, types) AS (
  VALUES ('lookup', 'integer, tsquery, tsquery, tsquery, integer, integer'), ('rows', 'integer, bigint[]'), ('named', 'integer, bigint[], tsquery'),
         ('sample', 'integer, timestamp with time zone, tsquery[], integer'), ('newest', 'integer, timestamp with time zone, tsquery, integer, integer')),
known AS (
  SELECT name, types, name AS subject FROM own
  UNION ALL SELECT b.name || '_' || k.kind, k.types, 'let_search_text' FROM branch AS b CROSS JOIN searching AS k),
routine AS (
  SELECT p.oid, CASE p.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END
         || format('%I(%s)', p.proname, replace(oidvectortypes(p.proargtypes), ', ', ',')) AS label, p.proname::text AS name, p.proowner AS owner, p.proacl AS acl,
         encode(sha256(convert_to(concat_ws('|', p.prokind, l.lanname, p.provolatile, p.proisstrict, p.prosecdef, p.proleakproof, p.proparallel, p.procost,
                p.prorows, p.proretset, format_type(p.prorettype, NULL), pg_get_function_arguments(p.oid), array_to_string(p.proconfig, ',')), 'UTF8')
                || convert_to(p.prosrc, 'UTF8')), 'hex') AS definition
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
  WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p') AND (p.proname, oidvectortypes(p.proargtypes)) IN (SELECT name, types FROM own)
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')),
granted AS (
  SELECT g.label, g.subject, a.grantee, a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS privilege, NULL::text AS col, g.owner
  FROM (SELECT label, subject, owner, coalesce(acl, acldefault(CASE kind WHEN 'S' THEN 's'::"char" ELSE 'r' END, owner)) AS acl FROM base
        UNION ALL SELECT label, name, owner, coalesce(acl, acldefault('f', owner)) FROM routine) AS g
  CROSS JOIN LATERAL aclexplode(g.acl) AS a
  UNION ALL SELECT b.label, b.subject, a.grantee, a.privilege_type, quote_ident(c.attname), b.owner
  FROM base AS b JOIN pg_attribute AS c ON c.attrelid = b.oid AND NOT c.attisdropped CROSS JOIN LATERAL aclexplode(c.attacl) AS a),
granting AS (  -- what an administrator grants to other roles does not concern us
  SELECT g.label, g.subject, r.name || ' ' || g.privilege || coalesce(' (' || g.col || ')', '') AS text
  FROM granted AS g JOIN role AS r ON r.oid = g.grantee
  WHERE g.grantee <> g.owner
  UNION ALL SELECT 'schema public', 'schema public', name || ' USAGE' FROM role  -- including through a grant to PUBLIC
  WHERE name IN ('ovasabi_app', 'ovasabi_search') AND has_schema_privilege(oid, 'public', 'USAGE')
  UNION ALL SELECT 'schema public', 'schema public', r.name || ' CREATE'  -- as granted, so that the grantee is named
  FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a JOIN role AS r ON r.oid = a.grantee
  WHERE n.oid = 'public'::regnamespace AND a.privilege_type = 'CREATE' AND r.name IN ('PUBLIC', 'ovasabi_app', 'ovasabi_search')),
privileged AS (  -- what exempts a role from all policies
  SELECT r.rolname::text AS name, a.text FROM pg_roles AS r
  CROSS JOIN LATERAL (VALUES (r.rolsuper, 'has SUPERUSER'), (r.rolbypassrls, 'has BYPASSRLS'), (r.rolcreaterole, 'has CREATEROLE'),
                              (r.rolreplication, 'has REPLICATION')) AS a (given, text)
  WHERE r.rolname IN ('ovasabi_app', 'ovasabi_search') AND a.given
  UNION ALL SELECT m.member::regrole::text, format('is a member of %s, granted by %s', m.roleid::regrole, m.grantor::regrole) FROM pg_auth_members AS m
  WHERE m.member IN (SELECT oid FROM pg_roles WHERE rolname IN ('ovasabi_app', 'ovasabi_search'))),
policy AS (
  SELECT p.polrelid, p.polname::text AS name, quote_ident(p.polname) AS quoted, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid) AS qual,
         pg_get_expr(p.polwithcheck, p.polrelid) AS checked, ARRAY(SELECT r.name FROM role AS r WHERE r.oid = ANY (p.polroles) ORDER BY 1) AS roles
  FROM pg_policy AS p JOIN base AS b ON b.oid = p.polrelid),
secured AS (  -- our tables, and their partitions
  SELECT oid, label AS item, subject, label, name FROM base WHERE kind <> 'S'
  UNION ALL SELECT oid, 'partition ' || pattern, 'partitions', 'partition ' || name, name FROM partition),
wrong AS (  -- what was added or disabled by hand so that our statements do something else, with the statement that undoes it
  SELECT 'overloads' AS item, k.subject, format('%s %s', r.kind, r.what) AS label, 'is an unknown overload' AS value, format('DROP %s %s', upper(r.kind), r.what) AS repair
  FROM (SELECT DISTINCT name, subject FROM known) AS k
  JOIN pg_proc AS p ON p.proname = k.name AND p.pronamespace IN ('public'::regnamespace, 'pg_catalog'::regnamespace) AND p.oid >= 16384
  CROSS JOIN LATERAL (SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind,
                             CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN 'pg_catalog.' ELSE '' END
                             || format('%I(%s)', p.proname, replace(oidvectortypes(p.proargtypes), ', ', ',')) AS what) AS r
  WHERE NOT (p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p') AND (p.proname::text, oidvectortypes(p.proargtypes)) IN (SELECT name, types FROM known))
    AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  UNION ALL SELECT s.item, s.subject, s.label, 'has the unknown rule ' || quote_ident(r.rulename), format('DROP RULE %I ON %s', r.rulename, s.name)
  FROM secured AS s JOIN pg_rewrite AS r ON r.ev_class = s.oid
  UNION ALL SELECT s.item, s.subject, s.label, 'has the unknown trigger ' || quote_ident(t.tgname) || ', which runs before each write',
                   format('DROP TRIGGER %I ON %s', t.tgname, s.name)
  FROM secured AS s JOIN pg_trigger AS t ON t.tgrelid = s.oid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname <> ALL ($1) AND t.tgtype & 3 = 3 AND t.tgenabled <> 'D'
  UNION ALL SELECT s.item, s.subject, s.label, 'does not enforce all foreign keys', format('ALTER TABLE %s ENABLE TRIGGER %I', s.name, t.tgname)
  FROM secured AS s JOIN pg_trigger AS t ON t.tgrelid = s.oid WHERE t.tgisinternal AND t.tgenabled <> 'O' AND t.tgconstraint <> 0
  UNION ALL SELECT s.item, s.subject, s.label, 'does not enforce all foreign keys', format('ALTER TABLE %s ALTER CONSTRAINT %I ENFORCED', s.name, c.conname)
  FROM secured AS s JOIN pg_constraint AS c ON c.conrelid = s.oid WHERE c.contype = 'f' AND c.conparentid = 0 AND to_jsonb(c) ->> 'conenforced' = 'false'
  UNION ALL SELECT s.item, s.subject, s.label, 'has the disabled trigger ' || quote_ident(t.tgname), format('ALTER TABLE %s ENABLE TRIGGER %I', s.name, t.tgname)
  FROM secured AS s JOIN pg_trigger AS t ON t.tgrelid = s.oid JOIN pg_trigger AS u ON u.oid = t.tgparentid
  WHERE t.tgname = ANY ($1) AND t.tgenabled <> 'O' AND u.tgenabled = 'O'
  UNION ALL SELECT 'setting ' || g.name, 'roles', 'setting ' || g.name, 'is ' || g.setting || ', so that triggers and foreign keys are not enforced',
                   coalesce((SELECT string_agg(concat_ws(' ', 'ALTER', CASE WHEN d.setrole = 0 AND d.setdatabase <> 0 THEN NULL ELSE 'ROLE ' || CASE d.setrole WHEN 0 THEN 'ALL' ELSE d.setrole::regrole::text END END,
                                                         CASE WHEN d.setdatabase = 0 THEN NULL WHEN d.setrole = 0 THEN 'DATABASE ' || quote_ident(current_database())
                                                              ELSE 'IN DATABASE ' || quote_ident(current_database()) END, 'RESET', g.name), '; ')
                             FROM pg_db_role_setting AS d
                             WHERE EXISTS (SELECT 1 FROM unnest(d.setconfig) AS c WHERE starts_with(c, g.name || '='))
                               AND d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                               AND d.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))), '')
  FROM pg_settings AS g WHERE g.name = 'session_replication_role' AND g.setting <> 'origin'),
fact AS (
  SELECT label AS item, name AS subject, definition AS value, label AS example FROM routine
  UNION ALL SELECT label, subject, kind::text, label FROM base
  UNION ALL SELECT 'owner of ' || o.label, o.subject, coalesce(r.name, o.owner::regrole::text), 'owner of ' || o.label
  FROM (SELECT label, name AS subject, owner FROM routine UNION ALL SELECT label, subject, owner FROM base) AS o LEFT JOIN role AS r ON r.oid = o.owner
  UNION ALL SELECT 'grants on ' || g.label, g.subject, coalesce(string_agg(g.text, '; ' ORDER BY g.text), ''), 'grants on ' || g.label
  FROM (SELECT label, subject, text FROM granting UNION ALL SELECT label, subject, NULL FROM base UNION ALL SELECT label, name, NULL FROM routine
        UNION ALL SELECT 'schema public', 'schema public', NULL) AS g GROUP BY g.label, g.subject
  UNION ALL SELECT 'row-level security of ' || b.label, b.subject,
                   b.security || '; ' || coalesce((SELECT string_agg(p.quoted, ', ' ORDER BY p.name) FROM policy AS p WHERE p.polrelid = b.oid AND p.roles <> '{}'), ''),
                   'row-level security of ' || b.label
  FROM base AS b WHERE b.kind <> 'S'
  UNION ALL SELECT 'policy ' || p.quoted || ' on ' || b.label, b.subject,
                   current_setting('server_version_num')::int / 10000 || ':' || encode(sha256(convert_to(concat_ws('|', p.polcmd, p.polpermissive, p.roles, p.qual, p.checked), 'UTF8')), 'hex'),
                   'policy ' || p.quoted || ' on ' || b.label
  FROM policy AS p JOIN base AS b ON b.oid = p.polrelid
  UNION ALL SELECT 'trigger ' || quote_ident(t.tgname) || ' on ' || b.label,
                   CASE WHEN t.tgname IN (SELECT name FROM own) THEN b.subject ELSE t.tgname END,  -- one of many tables belongs to its table
                   concat_ws(' ', t.tgfoid::regproc, t.tgtype, t.tgenabled, t.tgattr, t.tgqual IS NULL),
                   'trigger ' || quote_ident(t.tgname) || ' on ' || b.label
  FROM pg_trigger AS t JOIN base AS b ON b.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL SELECT 'type ' || format_type(c.reltype, NULL), c.relname, 'composite', 'type ' || format_type(c.reltype, NULL)
  FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'c'
  UNION ALL SELECT 'partition ' || p.pattern, 'partitions',
                   concat_ws(', ', CASE WHEN p.security <> 'enabled, forced' THEN 'row-level security is not enabled and forced' END,
                             CASE WHEN p.read AND NOT has_table_privilege(s.oid, p.oid, 'SELECT') THEN 'ovasabi_search lacks SELECT' END,
                             CASE WHEN p.read AND NOT EXISTS (SELECT 1 FROM pg_policy AS y WHERE y.polrelid = p.oid AND y.polname = 'search_read' AND y.polcmd = 'r' AND y.polpermissive
                                                              AND y.polroles = ARRAY[s.oid] AND pg_get_expr(y.polqual, y.polrelid) = 'true') THEN 'the policy search_read is missing or was changed' END,
                             CASE WHEN p.owner IS DISTINCT FROM (SELECT oid FROM role WHERE name = 'ovasabi_owner') THEN 'its owner is ' || p.owner::regrole END,
                             (SELECT 'it has the unknown policy ' || string_agg(quote_ident(y.polname), ', ' ORDER BY y.polname) FROM pg_policy AS y
                              WHERE y.polrelid = p.oid AND NOT (p.read AND y.polname = 'search_read') AND y.polroles && ARRAY(SELECT oid FROM role)),
                             (SELECT string_agg(DISTINCT f.name || ' has ' || a.privilege_type, ', ')
                              FROM (SELECT * FROM aclexplode(p.acl) UNION ALL
                                    SELECT x.* FROM pg_attribute AS c CROSS JOIN LATERAL aclexplode(c.attacl) AS x WHERE c.attrelid = p.oid AND c.attacl IS NOT NULL) AS a
                              JOIN role AS f ON f.oid = a.grantee AND f.oid <> p.owner
                              WHERE NOT (p.read AND f.oid = s.oid AND a.privilege_type = 'SELECT')),
                             CASE WHEN p.events AND NOT EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgrelid = p.oid AND t.tgname = 'service_event_no_truncate' AND t.tgenabled = 'O')
                                  THEN 'the trigger service_event_no_truncate is missing or disabled' END),
                   'partition ' || p.name
  FROM partition AS p LEFT JOIN role AS s ON s.name = 'ovasabi_search'
  UNION ALL SELECT 'role ' || name, 'roles', text, 'role ' || name FROM privileged
  UNION ALL SELECT 'search functions of ' || b.pattern, 'let_search_text',
                   encode(sha256(convert_to(string_agg(concat_ws(' ', k.kind, f.text), '; ' ORDER BY k.kind), 'UTF8')), 'hex'),
                   'search functions of ' || b.name
  FROM branch AS b CROSS JOIN searching AS k
  LEFT JOIN LATERAL (
    SELECT concat_ws('|', l.lanname, p.provolatile, p.prosecdef, array_to_string(p.proconfig, ','), pg_get_function_arguments(p.oid), replace(p.prosrc, b.name, b.pattern),
                     coalesce(o.name, p.proowner::regrole::text), p.proacl IS NULL OR EXISTS (SELECT 1 FROM aclexplode(p.proacl) WHERE grantee = 0)) AS text
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang LEFT JOIN role AS o ON o.oid = p.proowner
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname = b.name || '_' || k.kind AND oidvectortypes(p.proargtypes) = k.types) AS f ON true
  WHERE EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = b.oid AND a.attname = 'search_vector' AND NOT a.attisdropped)
  GROUP BY b.pattern, b.name)
SELECT item, subject::text, value::text, min(example) AS example, NULL AS repair FROM fact GROUP BY item, subject, value
UNION ALL SELECT item, subject::text, value, min(label), string_agg(repair, E';\n' ORDER BY repair) FROM wrong GROUP BY item, subject, value, CASE item WHEN 'overloads' THEN label END
ORDER BY item, value
