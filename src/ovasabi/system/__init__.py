"""Services that the gateway and background work rely on; like any other service, found by discovery."""
