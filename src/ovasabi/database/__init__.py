"""PostgreSQL below the kernel: the embedded server, connections, roles, and SQL that belongs to no repository."""
