"""The gRPC door: the same methods, callers, errors and rights as over HTTP."""
