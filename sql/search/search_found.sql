-- A type is created only once. To change it, write a migration or create another type.
DO $$
BEGIN
  IF to_regtype('search_found') IS NULL THEN
    CREATE TYPE search_found AS (ids bigint[], ranks real[], matched int, high int, more boolean);
  END IF;
END $$;
COMMENT ON TYPE search_found IS
  'Matches and their ranks; how many there are, how many of them rank as high as a word of a title does, and whether rows were left unread.';
