"""The lifecycle of schema and data: migrations, database objects, and partitions."""
