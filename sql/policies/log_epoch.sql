-- The epochs of the event log, which are the same for all campaigns.
REVOKE ALL ON log_epoch FROM ovasabi_app, ovasabi_search;
GRANT SELECT ON log_epoch TO ovasabi_app;
