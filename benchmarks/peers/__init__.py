"""The peers: the same application as the documentation of FastAPI and of Litestar teaches to write it."""
