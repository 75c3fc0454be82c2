"""Classifies errors of the driver and of PostgreSQL: did the statement have an effect, and can a retry succeed?"""

import asyncpg

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, OvasabiError

ROLLED_BACK = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""PostgreSQL rolled the statement back because of concurrent changes: it can always be sent again."""
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server closed an idle connection, and the driver has not closed its end yet
    asyncpg.OperatorInterventionError,
    OSError,
)
"""The connection was lost or could not be made: it is unknown whether the statement was executed."""

_UNAVAILABLE = {
    "25006": "it is read-only",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it accepts no further connections",
    "53": "it has reached a limit of its resources",
    "55006": "an object that the call needs is in use",
    "57": "it is starting or stopping, or has ended the session",
    "58": "its files or its operating system have a fault",
}
"""By SQLSTATE or its class: what is wrong with a server, whatever the statement is."""


class NotSent(OSError):
    """No connection was available, so nothing was sent."""


def is_lost(error: Exception) -> bool:
    """Returns whether the connection was lost or could not be made, whatever SQLSTATE the SQL of a row may raise."""
    # What ends a session is FATAL or PANIC, which no SQL can raise; errors of the driver itself have no severity.
    if isinstance(error, asyncpg.PostgresError) and getattr(error, "severity_en", None) == "ERROR":
        return False
    # Cancelled statements and time-outs are subclasses of these errors, but have another meaning.
    return isinstance(error, LOST) and not isinstance(error, asyncpg.QueryCanceledError | TimeoutError)


def is_locked(result: object) -> bool:
    """Returns whether a result is an error whose statement waited in vain for a lock, and so was rolled back."""
    if not isinstance(result, Exception):
        return False
    return isinstance(result, asyncpg.LockNotAvailableError) or isinstance(
        result.__cause__, asyncpg.LockNotAvailableError
    )


def unavailable(error: BaseException | None) -> str | None:
    """Returns what is wrong with the server, if that is why it has refused a statement."""
    if not isinstance(error, asyncpg.PostgresError) or isinstance(error, asyncpg.QueryCanceledError):
        return None
    sqlstate = error.sqlstate or ""
    return _UNAVAILABLE.get(sqlstate) or _UNAVAILABLE.get(sqlstate[:2])


def transient(error: Exception) -> bool:
    """Returns whether the same call may succeed a moment later. Our own errors state it in their kind."""
    known = translated(error)
    if isinstance(known, OvasabiError):
        return known.transient
    return isinstance(error, ROLLED_BACK) or unavailable(error) is not None


def translated(error: Exception, *, late: bool = False, server: str | None = None) -> Exception:
    """Returns our own error for a lost connection or a time-out, and any other error unchanged.

    `server` is the name of the server if there are several.
    `late` means that the caller's time is up: waiting for a connection until then exceeds the deadline, and does not
    mean that the database is unavailable.
    """
    waited = late and isinstance(error, NotSent) and isinstance(error.__cause__, TimeoutError)
    if waited or isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return DeadlineExceeded()
    if is_lost(error):
        reason = "no connection could be made" if isinstance(error, NotSent) else "the connection was lost or refused"
        return DatabaseUnavailable(reason=reason if server is None else f"{reason} ({server})")
    return error


def is_servers(error: BaseException | None) -> bool:
    """Returns whether a statement failed because of the server, its files or its objects, whatever its rows are."""
    # Access rules and missing objects (42), internal errors (XX).
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in ("42", "XX")
