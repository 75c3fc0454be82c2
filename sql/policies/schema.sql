-- Who may look into the schema, and take numbers.
GRANT USAGE ON SCHEMA public TO ovasabi_app, ovasabi_search;
GRANT USAGE ON SEQUENCE id_sequence, campaign_number TO ovasabi_app;
-- So that a login of the application alone can tell whether the database is ready for it.
GRANT SELECT ON alembic_version, sql_object TO ovasabi_app;
