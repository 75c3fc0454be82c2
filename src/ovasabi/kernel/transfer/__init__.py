"""Import and export of entities."""
