"""How data ages and schemas move: migrations, partitions, and later retention and archive."""
