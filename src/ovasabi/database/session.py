"""What every session sets itself, so that no setting of a login or a database changes what statements mean."""

import asyncpg

SETTINGS = {
    "role": "none",
    "search_path": "public, pg_temp",
    "row_security": "on",
    "ovasabi.campaigns": "",  # the scope: set by each statement, empty outside
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "gin_fuzzy_search_limit": "0",
    "enable_partition_pruning": "on",
}


async def open_session(url: str, timeout: float = 10, **settings: str) -> asyncpg.Connection:
    """Connects as the login, with these settings and further ones."""
    return await asyncpg.connect(url, timeout=timeout, server_settings=SETTINGS | settings)
