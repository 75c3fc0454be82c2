"""Keys of callers, and the trust between processes of the platform."""
