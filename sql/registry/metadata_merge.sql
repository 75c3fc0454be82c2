-- JSON Merge Patch (RFC 7396): objects merge, null removes, anything else replaces.
CREATE OR REPLACE FUNCTION metadata_merge(target jsonb, patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  result jsonb;
  entry record;
BEGIN
  IF patch IS NULL THEN
    RETURN target;
  END IF;
  IF jsonb_typeof(patch) <> 'object' THEN
    RETURN patch;
  END IF;
  result := CASE WHEN jsonb_typeof(target) = 'object' THEN target ELSE '{}'::jsonb END;
  FOR entry IN SELECT key, value FROM jsonb_each(patch) LOOP
    IF jsonb_typeof(entry.value) = 'null' THEN
      result := result - entry.key;
    ELSIF jsonb_typeof(entry.value) = 'object' THEN
      result := jsonb_set(result, ARRAY[entry.key], metadata_merge(result -> entry.key, entry.value), true);
    ELSE
      result := jsonb_set(result, ARRAY[entry.key], entry.value, true);
    END IF;
  END LOOP;
  RETURN result;
END $$;
COMMENT ON FUNCTION metadata_merge(jsonb, jsonb) IS 'JSON Merge Patch, RFC 7396.';
