"""The registry: one record for every entity of every service."""
