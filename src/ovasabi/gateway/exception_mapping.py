"""Maps exceptions to the errors that callers see in every protocol, without revealing internal details."""

import logging

import asyncpg

from ovasabi.errors import REPORT, Kind, OvasabiError
from ovasabi.kernel.call.errors import from_postgres

log = logging.getLogger("ovasabi.gateway")


def public_error(error: Exception, call: str) -> OvasabiError:
    """Returns the error to report to the caller; logs internal errors with `call`, the name of what was called."""
    public = mapped(error)
    if public.kind is Kind.INTERNAL:
        log.error("%s failed", call, exc_info=error)
    return public


def mapped(error: Exception) -> OvasabiError:
    """Returns the error to report to the caller."""
    if isinstance(error, OvasabiError):
        return error
    mapped = from_postgres(error, "entity", "") if isinstance(error, asyncpg.PostgresError) else None
    return mapped or OvasabiError(hint=REPORT)
