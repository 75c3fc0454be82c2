-- pg_trgm's function where the server offers the extension; elsewhere, one of ours with the same name and results.
DO $$
BEGIN
  -- A server may have gained it since: the embedded one did.
  IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm' AND installed_version IS NULL) THEN
    DROP FUNCTION IF EXISTS similarity(text, text), trigrams(text);
    CREATE EXTENSION pg_trgm SCHEMA public;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'pg_trgm is available, but may not be created: the SQL function is used instead';
END $$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN
    CREATE OR REPLACE FUNCTION trigrams(name text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $f$
    DECLARE
      found text[] := '{}';
      word text;
    BEGIN
      FOREACH word IN ARRAY regexp_split_to_array(lower(name), '[^[:alnum:]]+') LOOP
        CONTINUE WHEN word = '';
        FOR i IN 1..length(word) + 1 LOOP
          found := found || substr('  ' || word || ' ', i, 3);
        END LOOP;
      END LOOP;
      RETURN ARRAY(SELECT DISTINCT unnest(found));
    END $f$;
    CREATE OR REPLACE FUNCTION similarity(a text, b text) RETURNS real
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $f$
    DECLARE
      x text[] := trigrams(a);
      y text[] := trigrams(b);
      shared int := cardinality(ARRAY(SELECT unnest(x) INTERSECT SELECT unnest(y)));
      together int := cardinality(x) + cardinality(y) - shared;
    BEGIN
      RETURN CASE WHEN together = 0 THEN 0 ELSE shared::real / together::real END;
    END $f$;
  END IF;
END $$;
