"""The SQL statements of an entity, generated once from its declaration."""
