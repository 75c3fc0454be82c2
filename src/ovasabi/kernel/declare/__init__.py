"""What a declaration says: entities, fields, ids, methods, states and metadata. Nothing here reads or writes."""
