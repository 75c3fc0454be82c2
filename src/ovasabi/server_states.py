"""The state of the servers other than home: whether the platform's rows arrive there, and which campaigns they lack."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.session import open_session
from ovasabi.errors import StartError
from ovasabi.kernel.service.shards import HOME
from ovasabi.lifecycle.replication import state
from ovasabi.lifecycle.report import MIGRATE, next_step, report_of
from ovasabi.system.campaign import directory

log = logging.getLogger("ovasabi.runtime")


class ServerState(msgspec.Struct, frozen=True):
    """The state of a server in a few words, what to do about it, and the slugs of the campaigns that it has lost.

    `report` is that of its database, if it could be asked.
    """

    text: str
    remedy: str | None = None
    lost: list[str] = []
    report: dict[str, Any] = {}


async def states_of(home: asyncpg.Connection, urls: Mapping[int, str]) -> dict[int, ServerState]:
    """Returns the states of servers by their numbers."""
    return {number: await _state(home, number, url) for number, url in urls.items()}


def reported(home: Mapping[str, Any], states: Mapping[int, ServerState]) -> dict[str, Any]:
    """Returns what `ovasabi status` shows of the states, and of what home has like other servers."""
    held = {HOME: home["feed_held_by"]} | {
        number: each.report.get("feed_held_by", ()) for number, each in states.items()
    }
    return {
        "servers": {number: each.text for number, each in states.items()},
        "other_servers": {number: _own(each.report) for number, each in states.items() if each.report},
        "campaigns_lost": {number: each.lost for number, each in states.items() if each.lost},
        "feed_held_by": [f"server {number}: {each}" for number, those in held.items() for each in those],
        "next_step": home["next_step"] or next((each.remedy for each in states.values() if each.remedy), None),
    }


def _own(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a server's report has of the server alone: the directory is at home, and the program is the same."""
    return {
        name: value for name, value in report.items() if name not in ("campaigns", "migration_head", "feed_held_by")
    }


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
    if worker is not None and not worker.enabled:  # as after pg_upgrade
        log.warning("server %d gets no new rows of the platform: its subscription is disabled. %s", number, MIGRATE)


async def _state(home: asyncpg.Connection, number: int, url: str) -> ServerState:
    try:
        connection = await open_session(url, 5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return ServerState("unavailable", f"Start server {number}, or correct its URL in OVASABI_SHARDS.")
    try:
        report = await report_of(connection)
        if report["migrations_pending"]:
            return ServerState("not migrated", MIGRATE, report=report)
        found = await state.state_of(connection, home)
        lost: list[str] = []
        with suppress(asyncpg.PostgresError):  # home may not be migrated yet
            lost = [*(await directory.lost(home.fetch, connection.fetch, number)).values()]
        return ServerState(str(found), _remedy(found, number, lost) or _step(report, number), lost, report)
    finally:
        await connection.close()


def _step(report: dict[str, Any], number: int) -> str | None:
    step = next_step(report)
    return step if step in (None, MIGRATE) else f"Of server {number}: {step}"


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
