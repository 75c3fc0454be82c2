"""The open transactions of a server, of any of its databases: those that hold the event log back, and the oldest."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import load

Fetch = Callable[[str], Awaitable[Sequence[Any]]]

_SQL = load(__file__)
HOLDERS = _SQL["holders"]
TOLD_AFTER_SECONDS = 10.0
"""Shorter transactions are part of normal work."""


class Holder(msgspec.Struct, frozen=True):
    """An open transaction. `pid` is None for a prepared one, which has a `name`; `seconds` if it cannot be seen."""

    pid: int | None
    name: str | None
    database: str | None
    login: str | None
    application: str | None
    state: str | None
    seconds: float | None

    def __str__(self) -> str:
        what = f"process {self.pid}" if self.pid is not None else f"prepared transaction {self.name!r}"
        of = f" of {self.login}" if self.login and self.pid is not None else ""
        program = f" ({self.application})" if self.application else ""
        since = "an unknown time" if self.seconds is None else f"{self.seconds:,.0f} s"
        state = f" ({self.state})" if self.state and self.pid is not None else ""
        quoted = (self.name or "").replace("'", "''")
        end = f"SELECT pg_terminate_backend({self.pid})" if self.pid is not None else f"ROLLBACK PREPARED '{quoted}'"
        return f"{what}{of}{program} in database {self.database} for {since}{state}; to end it: {end}"


async def holders(fetch: Fetch) -> list[Holder]:
    """Returns the transactions that have held the log back for a while, and those whose age cannot be seen."""
    return _told(await _all_holders(fetch))


async def state(fetch: Fetch) -> dict[str, Any]:
    """Returns what `ovasabi status` tells of the open transactions of a server."""
    every = await _all_holders(fetch)
    oldest = [Holder(**row) for row in await fetch(_SQL["oldest"])]
    return {
        # The first one holds the log back. Its age is not known if the login may not see it.
        "feed_lag_seconds": _rounded(every[0].seconds) if every else 0.0,
        "feed_held_by": [str(each) for each in _told(every)],
        "oldest_transaction": {"seconds": _rounded(oldest[0].seconds), "session": str(oldest[0])} if oldest else None,
    }


async def tell(database: Database, report: Callable[[str], None]) -> None:
    """Reports what has held the log back for a while."""
    for each in await holders(database.read):
        if each.seconds is not None:
            report(f"new events cannot be read: held back by {each}")


async def _all_holders(fetch: Fetch) -> list[Holder]:
    return [Holder(**row) for row in await fetch(HOLDERS)]


def _told(found: list[Holder]) -> list[Holder]:
    return [each for each in found if each.seconds is None or each.seconds >= TOLD_AFTER_SECONDS]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
