-- Has the name and the results of pg_trgm's function, for servers without that extension.
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
