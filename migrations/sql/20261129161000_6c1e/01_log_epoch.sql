-- The epochs of the event log: transaction numbers compare only within one. Existing positions are of epoch 0, and are not rewritten.
CREATE TABLE log_epoch (
  epoch integer NOT NULL,
  server bigint NOT NULL,
  database oid NOT NULL,
  timeline varchar(8) NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT now(),
  reason varchar(500) NOT NULL,
  CONSTRAINT log_epoch_pkey PRIMARY KEY (epoch),
  CONSTRAINT log_epoch_epoch_check CHECK (epoch BETWEEN 0 AND 32767)
);
COMMENT ON TABLE log_epoch IS 'The epochs of the event log, each with the server and database on which it began. The last one is the present one.';
COMMENT ON COLUMN service_event.xid IS 'The position of the writing transaction: the epoch of the log in the upper 16 bits, and below it the number of the transaction.';
COMMENT ON TABLE service_event IS 'Everything that happened to an entity, once, in the order of (epoch and transaction, id). Never changed.';
