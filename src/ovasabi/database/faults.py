"""The faults of a server: each cause is logged once in a while, and it is known whether the server refuses changes."""

import logging
import time

import asyncpg

from ovasabi.database.failures import NotSent, is_lost, unavailable

log = logging.getLogger("ovasabi.database")

THE_DATABASE = "the database"
"""The name of the only server."""
TOLD_SECONDS = 60.0
"""How long a cause is not logged again: each call of a busy process would otherwise log it."""
REFUSED_SECONDS = 10.0
"""How long a server counts as refusing changes after it has refused one; then the next call tries again."""


class Faults:
    """What has gone wrong with a server, under the name that the log has for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._told: dict[str, tuple[float, int]] = {}
        """By cause: when it was logged, and how often it has occurred since then."""
        self._refused: tuple[float, str] | None = None

    @property
    def one_of_several(self) -> str | None:
        """The server's name if there are several."""
        return None if self.name == THE_DATABASE else self.name

    @property
    def refusing(self) -> str | None:
        """Why the server refuses changes, if it has refused one lately and has accepted none since."""
        if self._refused is None or time.monotonic() > self._refused[0] + REFUSED_SECONDS:
            return None
        return self._refused[1]

    def accepted(self) -> None:
        """Notes a change that the server has accepted."""
        self._refused = None

    def note(self, error: Exception, *, change: bool) -> None:
        """Notes and logs an error if it is a fault of the server, not of the statement; a change may be refused."""
        reason = unavailable(error)
        if reason is None and not is_lost(error):
            return
        if change and reason is not None and not isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            # Whether it is read-only can be asked.
            self._refused = (time.monotonic(), reason)
        cause = (error.__cause__ or error) if isinstance(error, NotSent) else error
        sqlstate = getattr(cause, "sqlstate", None)
        key, now = str(sqlstate or type(cause).__name__), time.monotonic()
        told, times = self._told.get(key, (now - TOLD_SECONDS, 0))
        if now < told + TOLD_SECONDS:
            self._told[key] = (told, times + 1)
            return
        self._told[key] = (now, 0)
        verb = "reports" if sqlstate and isinstance(cause, asyncpg.PostgresError) else "cannot be reached"
        text = str(cause.args[0] if len(cause.args) == 1 else cause).partition("\n")[0] or type(cause).__name__
        code = f" (SQLSTATE {sqlstate})" if sqlstate else ""
        again = f"; {times:,} times more since this was last logged" if times else ""
        log.warning("%s %s: %s%s%s", self.name, verb, text.rstrip("."), code, again)
