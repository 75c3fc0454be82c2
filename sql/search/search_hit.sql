-- A type is made once. Whoever changes it does so in a migration, or makes another one.
DO $$
BEGIN
  IF to_regtype('search_hit') IS NULL THEN
    CREATE TYPE search_hit AS (type text, master_id bigint, rank real, matched bigint, corrected boolean);
  END IF;
END $$;
