"""The state of the servers other than home: whether the platform's rows arrive there, and which campaigns they lack."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.session import open_session
from ovasabi.errors import StartError
from ovasabi.lifecycle import sql_objects
from ovasabi.lifecycle.replication import state
from ovasabi.lifecycle.revisions import history
from ovasabi.system.campaign import directory

MIGRATE = "Run: ovasabi migrate"


class ServerState(msgspec.Struct, frozen=True):
    """The state of a server in a few words, what to do about it, and the slugs of the campaigns that it has lost."""

    text: str
    remedy: str | None = None
    lost: list[str] = []


async def states_of(home: asyncpg.Connection, urls: Mapping[int, str]) -> dict[int, ServerState]:
    """Returns the states of servers by their numbers."""
    return {number: await _state(home, number, url) for number, url in urls.items()}


def reported(states: Mapping[int, ServerState]) -> dict[str, Any]:
    """Returns what `ovasabi status` shows of the states."""
    lost = {number: each.lost for number, each in states.items() if each.lost}
    return {"servers": {number: each.text for number, each in states.items()}, "campaigns_lost": lost}


def next_step(states: Mapping[int, ServerState]) -> str | None:
    """Returns the first thing to do about the servers; None if all are as they should be."""
    return next((each.remedy for each in states.values() if each.remedy), None)


async def check(home: asyncpg.Connection, server: asyncpg.Connection, number: int) -> None:
    """Raises StartError if a server was not set up, or not since home was restored.

    Before `ovasabi migrate`, the numbers of its campaigns could be used again. Replication that merely fails is told by
    `ovasabi status`; the campaigns are served.
    """
    worker = await state.worker_of(server)
    reason = "it has no subscription" if worker is None else await state.unknown_at(home, worker)
    if reason is not None:
        problem = f"Server {number} does not get the platform's rows: {reason}."
        raise StartError(problem=problem, hint=MIGRATE)


async def _state(home: asyncpg.Connection, number: int, url: str) -> ServerState:
    try:
        connection = await open_session(url, 5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return ServerState("unavailable", f"Start server {number}, or correct its URL in OVASABI_SHARDS.")
    try:
        if history().pending((await sql_objects.state_of(connection)).revisions):
            return ServerState("not migrated", MIGRATE)
        found = await state.state_of(connection, home)
        lost: list[str] = []
        with suppress(asyncpg.PostgresError):  # home may not be migrated yet
            lost = [*(await directory.lost(home.fetch, connection.fetch, number)).values()]
        return ServerState(str(found), _remedy(found, number, lost), lost)
    finally:
        await connection.close()


def _remedy(found: state.Subscribed, number: int, lost: list[str]) -> str | None:
    if found.mendable:
        return MIGRATE
    if found.state == "copying":
        return f"Wait until server {number} has the platform's rows."
    if not found.ready:
        return f"Look into the log of server {number}, which says why the platform's rows do not arrive."
    if lost:
        return f"Restore a newer backup of server {number}, or run: ovasabi migrate --give-up-lost"
    return None
