-- The list of entity types, which is the same for all campaigns.
REVOKE ALL ON entity_type FROM ovasabi_app, ovasabi_search;
GRANT SELECT ON entity_type TO ovasabi_app, ovasabi_search;
