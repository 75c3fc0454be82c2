"""Files generated at build time from the declarations and kept in git: contracts, client, error pages."""
