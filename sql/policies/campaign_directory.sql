-- No row-level security, because a campaign is looked up before there is a scope. An entry is never deleted: its number is not used again.
REVOKE ALL ON campaign_directory FROM ovasabi_app, ovasabi_search;
GRANT SELECT, INSERT, UPDATE (state, key, changed_at) ON campaign_directory TO ovasabi_app;
