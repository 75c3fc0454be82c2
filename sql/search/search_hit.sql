-- A type is created only once. To change it, write a migration or create another type.
DO $$
BEGIN
  IF to_regtype('search_hit') IS NULL THEN
    CREATE TYPE search_hit AS (type text, master_id bigint, rank real, matched bigint, corrected boolean);
  END IF;
END $$;
