"""What holds the end of the event log back: open transactions, of any database of the server."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import load

_SQL = load(__file__)
HOLDERS = _SQL["holders"]
TOLD_AFTER_SECONDS = 10.0
"""Shorter transactions are part of normal work."""


class Holder(msgspec.Struct, frozen=True):
    """An open transaction. `pid` is None for a prepared one, which has a `name`; `seconds` if it cannot be seen."""

    pid: int | None
    name: str | None
    database: str | None
    state: str | None
    seconds: float | None

    def __str__(self) -> str:
        what = f"process {self.pid}" if self.pid is not None else f"prepared transaction {self.name!r}"
        since = "an unknown time" if self.seconds is None else f"{self.seconds:,.0f} s"
        state = f" ({self.state})" if self.state and self.pid is not None else ""
        quoted = (self.name or "").replace("'", "''")
        end = f"SELECT pg_terminate_backend({self.pid})" if self.pid is not None else f"ROLLBACK PREPARED '{quoted}'"
        return f"{what} in database {self.database} for {since}{state}; to end it: {end}"


async def holders(fetch: Callable[[str], Awaitable[Sequence[Any]]]) -> list[Holder]:
    """Returns the transactions that have held the log back for a while, and those whose age cannot be seen."""
    found = [Holder(**row) for row in await fetch(HOLDERS)]
    return [each for each in found if each.seconds is None or each.seconds >= TOLD_AFTER_SECONDS]


async def tell(database: Database, report: Callable[[str], None]) -> None:
    """Reports what has held the log back for a while."""
    for each in await holders(database.read):
        if each.seconds is not None:
            report(f"new events cannot be read: held back by {each}")
