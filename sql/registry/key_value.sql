-- Long values are hashed, because the size of an index key is limited.
CREATE OR REPLACE FUNCTION key_value(VARIADIC parts text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN array_position(parts, NULL) IS NOT NULL THEN NULL
                  WHEN octet_length(joined) <= 120 THEN joined
                  ELSE 'sha256:' || encode(sha256(convert_to(joined, 'UTF8')), 'hex') END
      FROM array_to_string(parts, E'\x1f') AS joined $$;
COMMENT ON FUNCTION key_value(text[]) IS 'The text under which a natural key is kept: short ones as they are, long ones hashed; null if a part is null.';
