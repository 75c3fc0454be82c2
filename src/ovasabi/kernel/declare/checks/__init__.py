"""General checks of declarations: of arguments, annotations, types and their limits, defaults, and named classes."""
