-- A type is created only once. To change it, write a migration or create another type.
DO $$
BEGIN
  IF to_regtype('search_place') IS NULL THEN
    CREATE TYPE search_place AS (type text, branch text, scope text, here tsquery, rows int, since timestamptz);
  END IF;
END $$;
COMMENT ON TYPE search_place IS 'A type and its branch, what else the branch''s index is asked for, and how many newest rows were counted, since when.';
