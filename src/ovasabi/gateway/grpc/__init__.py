"""The gRPC API: the same methods, authentication, permissions and errors as over HTTP."""
