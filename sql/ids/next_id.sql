-- Ids have 53 bits: 41 for the milliseconds since 2020-01-01 UTC, 7 for a sequence and 5 for the number of the server. The time in the id *is*
-- created_at.
-- The sequence id_clock is the last id. Its increment is 32, so it keeps the server's number in its lowest bits, and runs on into the next
-- millisecond when 128 ids were not enough. Ids thus ascend, even while the clock is set back. This function first moves the sequence to the
-- present, if the clock is ahead of it. A statement that needs several ids calls it once, and takes the others from the sequence.
-- One session at a time moves the sequence. The lock is held neither until the end of the transaction nor after an error: it ends with the
-- subtransaction, which the exception (OV000, which nobody else sees) rolls back; sequences are not rolled back. The others do not queue for it, because on a busy server
-- each change of its holder would cost more than a statement; they look again a millisecond later.
-- The sequence is moved to the middle of the millisecond: sessions that take ids from it at that very moment get smaller ones.
-- requires: ids/time_id
CREATE OR REPLACE FUNCTION next_id() RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  present CONSTANT bigint := time_id(clock_timestamp());
  id bigint := nextval('id_clock');
BEGIN
  WHILE id < present LOOP
    BEGIN
      IF pg_try_advisory_xact_lock(hashtextextended('id_clock', 0)) THEN
        id := nextval('id_clock');
        IF id < present THEN
          id := setval('id_clock', present | (64 << 5) | (id & 31));
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'OV000';
      END IF;
    EXCEPTION WHEN SQLSTATE 'OV000' THEN
      RETURN id;
    END;
    PERFORM pg_sleep(0.001);
    id := nextval('id_clock');
  END LOOP;
  RETURN id;
END $$;
COMMENT ON FUNCTION next_id() IS 'A new id of 53 bits: greater than all earlier ones of this server, and not before the present.';

REVOKE EXECUTE ON FUNCTION next_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_id() TO ovasabi_app;
