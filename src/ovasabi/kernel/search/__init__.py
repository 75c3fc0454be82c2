"""Full-text search, the cache of its results, and the registry, in which every entity is found by its name."""
