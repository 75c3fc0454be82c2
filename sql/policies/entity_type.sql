-- The same for all campaigns: which entities there are.
REVOKE ALL ON entity_type FROM ovasabi_app, ovasabi_search;
GRANT SELECT ON entity_type TO ovasabi_app, ovasabi_search;
