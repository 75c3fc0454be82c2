-- Called where a row was refused: a policy that calls it refuses with a SQLSTATE of ours, told from a missing GRANT. Volatile, so that no
-- planner calls it ahead of time.
CREATE OR REPLACE FUNCTION out_of_scope() RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RAISE EXCEPTION 'the row is outside the scope of the statement' USING ERRCODE = 'OV003';
END $$;
COMMENT ON FUNCTION out_of_scope() IS 'Refuses a row outside the statement''s scope.';
