-- The default of the column contains the epoch: it costs a write nothing to find out, and no write can use an earlier epoch once the new one is
-- seen, because the change waits for all writers. Numbers are skipped at random, so that two copies of one log rarely use the same one: a cursor
-- of one copy is then unknown to the other. A logical copy may lack the epochs of its events; the last one is added.
-- The last position of the epoch that ends is read after the writers have ended: some have later transactions than this one. If the log has moved,
-- consumers may have got further on the other server than the log shows. 2^32 transactions are then added: more than a server loses or leaves
-- unused, so that those consumers go on, and cursors beyond are refused.
-- Ids that are ahead of the clock, which was set back, may have gone on where the log comes from: a restore knows only those of its backup. They
-- continue an hour ahead, which has room for 460 million. Ids that are not ahead are of the past there, too.
-- requires: events/log_home, events/log_last, events/log_moved, events/log_position, ids/time_id
CREATE OR REPLACE FUNCTION new_log_epoch(p_reason text) RETURNS int
LANGUAGE plpgsql
AS $$
DECLARE
  moved bool;
  present int;
  following int;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('log_epoch', 0));  -- of several processes, one after another begins one
  moved := log_moved() IS NOT NULL;
  INSERT INTO log_epoch (epoch, server, database, timeline, reason)
    SELECT (log_last()::text::bigint >> 48)::int, home.*, 'It came with its events.' FROM log_home() AS home
    ON CONFLICT (epoch) DO NOTHING;
  SELECT max(epoch), max(epoch) + 1 + floor(random() * 16)::int INTO present, following FROM log_epoch;
  EXECUTE format('ALTER TABLE ONLY service_event ALTER COLUMN xid SET DEFAULT log_position(%s, pg_current_xact_id())', following);
  UPDATE log_epoch SET last_position = least(
    greatest(log_position(present, pg_snapshot_xmax(pg_current_snapshot()))::text::bigint - 1, log_last()::text::bigint)
      + CASE WHEN moved THEN 1::bigint << 32 ELSE 0 END,
    (present + 1::bigint << 48) - 1)
  WHERE epoch = present;
  INSERT INTO log_epoch (epoch, server, database, timeline, reason) SELECT following, home.*, p_reason FROM log_home() AS home;
  PERFORM setval('id_clock', last + (3600000::bigint << 12)) FROM pg_sequence_last_value('id_clock') AS last
    WHERE last > time_id(clock_timestamp());
  RETURN following;
END $$;
COMMENT ON FUNCTION new_log_epoch(text) IS 'Begins a new epoch of the event log, when all writers of the last one have ended.';

REVOKE EXECUTE ON FUNCTION new_log_epoch(text) FROM PUBLIC;
