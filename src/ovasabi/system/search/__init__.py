"""Search over everything that can be searched."""
