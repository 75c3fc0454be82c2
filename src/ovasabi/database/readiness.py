"""Readiness: whether a server could carry out a call that writes now, and why it could not."""

import asyncio

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.deadlines import ending_at
from ovasabi.database.failures import unavailable
from ovasabi.database.pools import Pool
from ovasabi.database.sql import load
from ovasabi.errors import DatabaseUnavailable, OvasabiError

_SQL = load(__file__)
STATE = _SQL["state"]
"""Whether the session can write, and which tables lack the month that new rows are in."""
SECONDS = 2.0
"""How long a server has to answer."""


async def problem_of(database: Database, seconds: float = SECONDS) -> str | None:
    """Returns why a server could not carry out a call that writes; None if it could."""
    # Of a connection for writing, but as a read: it says nothing about whether changes are accepted.
    asked = database.read(STATE, timeout=seconds, pool=Pool.WRITE)
    try:
        (state,) = await ending_at(asyncio.get_running_loop().time() + seconds, asked)
    except DatabaseUnavailable as error:
        return f"the database is unavailable: {error.values['reason']}"
    except OvasabiError:
        return f"the database did not respond within {seconds:g} seconds"
    except asyncpg.PostgresError as error:
        return f"the database reports: {unavailable(error) or error.args[0]}"
    return refusal_of(state) or (
        f"the database is unavailable: {refused}" if (refused := database.faults.refusing) else None
    )


def refusal_of(state: asyncpg.Record) -> str | None:
    """Returns why a database in such a state could not accept new rows; None if it could."""
    if state["standby"]:
        return "the database is read-only: it is a standby"
    if state["read_only"]:
        return "the database is read-only"
    if state["missing"]:
        return f"there are no partitions for {state['month']}"
    return None
