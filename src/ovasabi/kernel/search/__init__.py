"""Full-text search, and the cache of its results."""
