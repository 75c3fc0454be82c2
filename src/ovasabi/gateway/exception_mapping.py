"""What an exception means for the caller, at every door alike: one of our errors, and nothing of the inside."""

import logging

import asyncpg

from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.errors import from_postgres

log = logging.getLogger("ovasabi.gateway")


def known(error: Exception, asked: str, correlation_id: str | None) -> OvasabiError:
    """The error to tell of; what should not have happened is logged, with `asked`: what the caller asked for."""
    told = _meant(error)
    if told.kind is Kind.INTERNAL:
        log.error("%s failed (%s)", asked, correlation_id, exc_info=error)
    return told


def _meant(error: Exception) -> OvasabiError:
    if isinstance(error, OvasabiError):
        return error
    meant = from_postgres(error, "entity", "") if isinstance(error, asyncpg.PostgresError) else None
    return meant or OvasabiError(hint="Report it with the correlation id; the server's log has the details.")
