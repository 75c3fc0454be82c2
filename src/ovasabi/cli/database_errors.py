"""Faults of the database in the words of the command line: what is wrong with it, and what to do, by SQLSTATE."""

import sys
from collections.abc import Iterator

from ovasabi.errors import Kind, OvasabiError, such_as

INSUFFICIENT_PRIVILEGE = "42501"
_URL = "Check OVASABI_DATABASE_URL."
_KNOWN = {
    INSUFFICIENT_PRIVILEGE: (
        "The database login lacks a privilege",
        "Run `ovasabi migrate` with a login that is a member of ovasabi_owner, which restores the grants of OVASABI's "
        "roles. The login itself must be a member of ovasabi_app.",
    ),
    "25006": (
        "The database is read-only",
        "It may be a standby: check that OVASABI_DATABASE_URL points to the primary, and that "
        "default_transaction_read_only is off.",
    ),
    "28": ("The database refuses the login", _URL),
    "3D000": ("The database does not exist", f"Create it, or correct the address. {_URL}"),
    "42704": ("The database lacks something that OVASABI needs", "Run: ovasabi migrate"),
    "42883": ("The database lacks something that OVASABI needs", "Run: ovasabi migrate"),
    "42P01": ("The database lacks something that OVASABI needs", "Run: ovasabi migrate"),
    "53100": ("The database server's disk is full", "Free space on the server, then run the command again."),
    "53200": ("The database server is out of memory", "Free memory on the server, then run the command again."),
    "53300": ("The database accepts no further connections", "Close others, or raise max_connections on the server."),
    "53": ("The database server has reached a limit", "Raise the limit on the server, then run the command again."),
    "55P03": ("The database is locked by another session", "Run the command again, once that session has finished."),
    "58": ("The database server has a fault", "See the server's log."),
    "XX": ("The database server has a fault", "See the server's log."),
}
"""By SQLSTATE or its class: what is wrong, and what to do."""
_OTHER = ("The database reported an error", "Set OVASABI_LOG_LEVEL=debug for details.")


class DatabaseRefused(OvasabiError):
    """The database refused a statement of a command, for a reason that only its administrator can remove."""

    kind = Kind.UNAVAILABLE
    code = "database_refused"
    message = "{problem}: {reason} (SQLSTATE {sqlstate})."
    example = such_as(
        problem="The database server's disk is full",
        reason="could not extend file: No space left on device",
        sqlstate="53100",
        hint="Free space on the server, then run the command again.",
    )


def explained(error: BaseException) -> OvasabiError | None:
    """Returns the error to print for a fault of the database; None if it is a fault of something else."""
    if "asyncpg" not in sys.modules:  # without the driver, no database was asked; loading it takes time
        return None
    import asyncpg

    from ovasabi.database.failures import translated

    for each in _causes(error):
        if isinstance(each, OvasabiError):
            return each
        if isinstance(each, asyncpg.PostgresError | asyncpg.InterfaceError | ConnectionError):
            known = translated(each)
            return known if isinstance(known, OvasabiError) else _refused(each)
    return None


def sqlstate_of(error: BaseException) -> str | None:
    """Returns the SQLSTATE with which PostgreSQL refused a statement, if it did."""
    found = (getattr(each, "sqlstate", None) for each in _causes(error))
    return next((sqlstate for sqlstate in found if sqlstate), None)


def _refused(error: Exception) -> DatabaseRefused:
    sqlstate = sqlstate_of(error) or ""
    problem, hint = _KNOWN.get(sqlstate) or _KNOWN.get(sqlstate[:2]) or _OTHER
    reason = str(error).splitlines()[0].rstrip(".")
    return DatabaseRefused(problem=problem, reason=reason, sqlstate=sqlstate or "none", hint=hint)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields the error, and those that it comes from."""
    cause: BaseException | None = error
    for _ in range(8):  # an error may be its own cause
        if cause is None:
            return
        yield cause
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__
