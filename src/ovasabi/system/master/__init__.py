"""The registry: one record of every entity, whatever its service."""
