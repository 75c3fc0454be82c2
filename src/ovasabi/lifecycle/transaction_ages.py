"""The age of the oldest transaction of a server, as a login sees it that may not look into the sessions of others."""

import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.lifecycle.log_holders import Fetch

_SQL = load(__file__)
_ages: WeakKeyDictionary[Database, "TransactionAges"] = WeakKeyDictionary()


class TransactionAges:
    """The open transactions, and when they were first seen: since when they run is not told to every login."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[str, float] = {}

    async def oldest(self, fetch: Fetch) -> float:
        """Looks at the open transactions; returns for how many seconds at least the oldest has been open, or 0."""
        rows, now = await fetch(_SQL["open"]), self._now()
        self._seen = {row["id"]: min(self._seen.get(row["id"], now), now - (row["seconds"] or 0)) for row in rows}
        return round(now - min(self._seen.values(), default=now), 1)


def ages_of(database: Database) -> TransactionAges:
    """Returns the ages of a server's transactions, as this process has seen them."""
    if (ages := _ages.get(database)) is None:
        ages = _ages[database] = TransactionAges()
    return ages
