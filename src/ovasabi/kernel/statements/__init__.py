"""The SQL of an entity, generated once from its declaration."""
