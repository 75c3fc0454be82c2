-- Called by a policy for a row that it refuses: raises our own SQLSTATE, which differs from that of a missing GRANT. Volatile, so that the
-- planner does not call it in advance.
CREATE OR REPLACE FUNCTION out_of_scope() RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
  RAISE EXCEPTION 'the row is outside the scope of the statement' USING ERRCODE = 'OV003';
END $$;
COMMENT ON FUNCTION out_of_scope() IS 'Refuses a row outside the statement''s scope.';
