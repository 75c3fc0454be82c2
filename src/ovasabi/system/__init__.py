"""Services that the gateway and background work rely on; found by discovery, like any other service."""
