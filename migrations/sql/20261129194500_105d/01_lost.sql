-- A campaign can be lost: the directory has it, but its server, which was restored from an earlier backup, does not. Its slug remains its own.
ALTER TABLE campaign_directory DROP CONSTRAINT campaign_directory_state_check,
  ADD CONSTRAINT campaign_directory_state_check CHECK (state IN ('creating', 'active', 'deleted', 'lost'));
