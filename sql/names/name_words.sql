-- For full text and typing errors: the keys of a name are its words, and each word with one letter removed.
-- Two words within one edit (a letter inserted, deleted or replaced, or two swapped) always share a key.
CREATE OR REPLACE FUNCTION name_words(name text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 5
AS $$ SELECT word FROM regexp_split_to_table(lower(name), '[^[:alnum:]]+') AS word WHERE word <> '' $$;
COMMENT ON FUNCTION name_words(text) IS 'The words of a name, in lower case.';
