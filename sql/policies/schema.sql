-- The roles that can use the schema, and its sequences.
-- covers: roles
GRANT USAGE ON SCHEMA public TO ovasabi_app, ovasabi_search;
GRANT USAGE ON SEQUENCE id_clock, id_sequence, campaign_number TO ovasabi_app;
GRANT SELECT ON SEQUENCE id_clock TO ovasabi_app;
-- A login that has only the application role can thus check whether the database is ready for it.
GRANT SELECT ON alembic_version, sql_object TO ovasabi_app;
