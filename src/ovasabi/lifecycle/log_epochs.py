"""The epochs of the event log: a new one begins when the log has come to another server, or by command."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from ovasabi.database.pools import Connected
from ovasabi.database.roles import APP_ROLE, OWNER_ROLE
from ovasabi.database.session import open_session
from ovasabi.database.sql import load
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import LogArriving
from ovasabi.kernel.call.sqlstates import OwnSqlState

_SQL = load(__file__)
LOCK_SECONDS = 10.0
"""How long to wait for those who use the log, or begin an epoch; meanwhile all other calls wait behind."""
CLOSE_SECONDS = 2.0
"""How long a server has to end a session: a running process looks regularly, and has to be able to stop."""

_NOT_MIGRATED = (
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
    asyncpg.InvalidParameterValueError,  # the role does not exist
    asyncpg.InsufficientPrivilegeError,
)


async def arrive(url: str) -> str | None:
    """Begins a new epoch if the log needs one, and returns why; to be called before anything is written.

    Raises LogArriving if another server still sends events to this database.
    """
    try:
        async with _connected(url, APP_ROLE) as connection:
            reason: str | None = await connection.fetchval(_SQL["arrive"])
            return reason
    except asyncpg.PostgresError as error:
        if error.sqlstate == OwnSqlState.LOG_ARRIVING:
            raise LogArriving from error
        raise


async def begin(url: str, reason: str, *, last_position: int | None = None) -> int:
    """Begins a new epoch in any case, and returns its number.

    `last_position` is that of the epoch that ends, if it ended on another server and is known exactly.
    """
    async with _connected(url, OWNER_ROLE) as connection, connection.transaction():
        epoch = await connection.fetchval(_SQL["begin"], reason)
        if last_position is not None:
            await connection.execute(_SQL["limit"], last_position)
        return int(epoch)


async def state(connection: asyncpg.Connection) -> dict[str, Any]:
    """Returns the present epoch, and why a new one is needed, if it is, as `ovasabi status` shows them."""
    (row,) = await connection.fetch(_SQL["state"])
    return {"log_epoch": row["epoch"], "log_moved": row["moved"]}


async def pending(url: str) -> str | None:
    """Returns why `settle` would begin a new epoch; None if it would not, or the database is not migrated yet."""
    with suppress(*_NOT_MIGRATED):
        async with _connected(url, APP_ROLE) as connection:
            reason: str | None = (await state(connection))["log_moved"]
            return reason
    return None


@asynccontextmanager
async def _connected(url: str, role: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await open_session(url, role=role, lock_timeout=f"{int(LOCK_SECONDS * 1000)}")
    try:
        yield connection
    finally:
        with suppress(TimeoutError, OSError, asyncpg.PostgresError):
            await connection.close(timeout=CLOSE_SECONDS)


def noticing(url: str, report: Callable[[str], None]) -> Connected:
    """Returns what settles the log on each new connection: when a standby takes over, all connections are new.

    So none writes there before the new epoch has begun. What goes wrong with it is left to the next look.
    """

    async def connected(connection: asyncpg.Connection) -> None:
        with suppress(OvasabiError, asyncpg.PostgresError, OSError):
            if (await state(connection))["log_moved"] is not None:
                await settle(url, report)

    return connected


async def settle(url: str, report: Callable[[str], None]) -> None:
    """Begins a new epoch of the event log if it has come to another server, and reports why."""
    if (reason := await arrive(url)) is not None:
        report(f"{reason} The event log begins a new epoch; consumers continue with their cursors.")
