"""General checks of declarations: of arguments, of annotations, of types and their limits, and of defaults."""
