"""Events: everything that happened to every entity, in order."""
