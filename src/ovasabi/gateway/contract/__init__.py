"""The API contract, generated from the declared methods at startup."""
