"""API keys of callers, and authentication between the processes of a platform."""
