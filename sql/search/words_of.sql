-- array_to_string is only stable, because the output of an element can depend on settings; that of text does not.
-- Generated columns use it, so its results must never change.
CREATE OR REPLACE FUNCTION words_of(words text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT array_to_string(words, ' ') $$;
COMMENT ON FUNCTION words_of(text[]) IS 'The words of a list as one text, for search.';
