"""The publication of the platform's rows, at home."""

import asyncpg

from ovasabi.database.sql import load
from ovasabi.errors import StartError

_SQL = load(__file__)
SHARED = ("api_key", "master")
"""What is published besides the tables of the platform's entities: of the registry, the rows of the platform."""


async def publish(owner: asyncpg.Connection) -> frozenset[str]:
    """Creates the publication, or sets its tables; returns those that were not published before."""
    (row,) = await owner.fetch(_SQL["publishable"])
    if not row["logical"]:
        raise StartError(
            problem="The home server cannot replicate the platform's rows: its wal_level is not logical.",
            hint="Set wal_level = logical in its configuration and restart it.",
        )
    wanted = sorted([*SHARED, *row["tables"]])
    before = await published(owner)
    if before is None or sorted(before) != wanted:
        await owner.execute(await owner.fetchval(_SQL["publish"], wanted, before is not None))
    return frozenset(wanted) - (before or frozenset())


async def published(home: asyncpg.Connection) -> frozenset[str] | None:
    """Returns the tables that home publishes; None if there is no publication."""
    rows = await home.fetch(_SQL["published"])
    return frozenset(rows[0]["tables"]) if rows else None
