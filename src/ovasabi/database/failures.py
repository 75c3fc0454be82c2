"""What a failure of the driver or of PostgreSQL says: whether anything was done, and whether time alone may mend it."""

import asyncpg

from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded, OvasabiError

ROLLED_BACK = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Others got in between, and PostgreSQL has rolled the statement back: it can always be sent again."""
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server said goodbye to an idle connection, and the driver has not yet closed it
    asyncpg.OperatorInterventionError,
    OSError,
)
"""The connection is gone, or cannot be made: whether the statement was carried out is not known."""


class NotSent(OSError):
    """No connection could be had, so nothing was sent."""


def is_lost(error: Exception) -> bool:
    """Whether the connection was lost, or there was none."""
    # A cancelled statement and a time-out are of the same families as a lost connection, and mean something else.
    return isinstance(error, LOST) and not isinstance(error, asyncpg.QueryCanceledError | TimeoutError)


def transient(error: Exception) -> bool:
    """Whether the same call may succeed a moment later. Of our own errors, their kind says it."""
    known = translated(error)
    if isinstance(known, OvasabiError):
        return known.transient
    return isinstance(error, (*ROLLED_BACK, asyncpg.InsufficientResourcesError))


def translated(error: Exception, *, late: bool = False) -> Exception:
    """The error as the layers above know it: lost connections and time-outs are errors of ours, all else stays.

    Whoever waited for a connection as long as the caller allowed is `late`: it does not say that there is no database.
    """
    waited = late and isinstance(error, NotSent) and isinstance(error.__cause__, TimeoutError)
    if waited or isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
        return DeadlineExceeded()
    if is_lost(error):
        reason = "no connection could be made" if isinstance(error, NotSent) else "the connection was lost or refused"
        return DatabaseUnavailable(reason=reason)
    return error
