"""Backup and restore of a whole installation, with PostgreSQL's own tools and a check of what was restored."""
