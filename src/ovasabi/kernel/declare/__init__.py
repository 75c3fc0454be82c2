"""Declarations: entities, fields, ids, methods, state machines and metadata. Nothing here performs I/O."""
