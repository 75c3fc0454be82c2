"""Events: whatever happened to every entity, in order."""
