"""The contract of the API, made from the declared methods at start."""
