-- Partitions are created with copies of their table's comments, so those that exist get the new ones too.

DO $$
DECLARE
  v record;
BEGIN
  FOR v IN
    SELECT child.relid::regclass AS partition, pa.attname AS name, col_description(root.oid, ra.attnum) AS comment
    FROM pg_class AS root
    CROSS JOIN LATERAL pg_partition_tree(root.oid) AS child
    JOIN pg_attribute AS ra ON ra.attrelid = root.oid AND ra.attnum > 0 AND NOT ra.attisdropped
    JOIN pg_attribute AS pa ON pa.attrelid = child.relid AND pa.attname = ra.attname
    WHERE root.relkind = 'p' AND NOT root.relispartition AND root.relnamespace = 'public'::regnamespace
      AND root.relname LIKE 'service\_%' AND child.level > 0
      AND col_description(child.relid, pa.attnum) IS DISTINCT FROM col_description(root.oid, ra.attnum)
  LOOP
    EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', v.partition, v.name, v.comment);
  END LOOP;
END
$$;
