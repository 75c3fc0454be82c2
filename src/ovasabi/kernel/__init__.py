"""The pattern that every service follows: ids, entities, the registry, events, repositories, context and locks."""
