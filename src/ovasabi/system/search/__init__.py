"""Search across all searchable entities."""
