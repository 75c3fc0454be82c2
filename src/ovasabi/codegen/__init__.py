"""Generates files from the declarations at build time, which are stored in git: contracts, client, error pages."""
