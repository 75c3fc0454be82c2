-- How far each epoch of the event log went, so that a cursor beyond it is refused. Of epochs that have already ended, it is not known.
ALTER TABLE log_epoch ADD COLUMN last_position bigint
  CONSTRAINT log_epoch_last_position_check CHECK (last_position >> 48 = epoch);
COMMENT ON COLUMN log_epoch.last_position IS 'The last position that a cursor of the epoch can have. Null in the present epoch, and in those that ended before this was recorded.';
