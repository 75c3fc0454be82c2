-- Full text and typing errors: the keys of a name are its words and, of each word, what is left without one letter.
-- Two words within one edit of each other (a letter more, less, other, or two swapped) always share a key.
CREATE FUNCTION name_words(name text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 5
AS $$ SELECT word FROM regexp_split_to_table(lower(name), '[^[:alnum:]]+') AS word WHERE word <> '' $$;
COMMENT ON FUNCTION name_words(text) IS 'The words of a name, in lower case.';

-- The campaign is part of each key, so that neither cost nor content of one campaign shows in another.
-- A loop, since it runs at every write: a tenth of the time of the same query over sets. The stated cost keeps the
-- planner from computing it row by row where it has no statistics yet, instead of asking the index.
CREATE FUNCTION name_keys(campaign int, name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
AS $$
DECLARE
  keys text[] := '{}';
  word text;
  prefix text := campaign || ':';
BEGIN
  FOREACH word IN ARRAY regexp_split_to_array(lower(name), '[^[:alnum:]]+') LOOP
    CONTINUE WHEN word = '';
    keys := keys || (prefix || word);
    CONTINUE WHEN length(word) NOT BETWEEN 4 AND 30;
    FOR i IN 1..length(word) LOOP
      keys := keys || (prefix || left(word, i - 1) || substr(word, i + 1));
    END LOOP;
  END LOOP;
  RETURN keys;
END $$;
COMMENT ON FUNCTION name_keys(int, text) IS 'The search keys of a name within its campaign.';

CREATE INDEX master_name_keys_idx ON master USING gin (name_keys(campaign_id, name));

DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'pg_trgm is there but may not be created: the SQL function is used instead';
END $$;

-- The same name and result as pg_trgm's, for servers without it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN
    CREATE FUNCTION trigrams(name text) RETURNS text[]
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
    CREATE FUNCTION similarity(a text, b text) RETURNS real
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
