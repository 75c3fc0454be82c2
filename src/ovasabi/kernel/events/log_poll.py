"""Looks at the event log: what came after a place, for many campaigns in one statement, and how far it was seen."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.failures import transient
from ovasabi.database.retry import Policy, retry
from ovasabi.database.sql import load
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.events.log import Event, earliest, event_of, pool_for

T = TypeVar("T")
Place = tuple[int, int]
"""A place in the log: a transaction and an event id."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

_SQL = load(__file__)


class LogPage(msgspec.Struct, frozen=True):
    """Events in order, the place up to which the log was seen, and whether the look stopped because it was full."""

    events: list[Event]
    place: Place
    full: bool


async def poll(
    database: Database,
    places: Sequence[tuple[int, Place]],
    *,
    limit: int,
    types: Sequence[str] | None = None,
    entity_id: int | None = None,
) -> list[LogPage]:
    """What came in some campaigns after a place each, at most `limit` events of each campaign.

    Events of other types count, and are passed over: a look is bounded, however rare the types are.
    """
    campaigns = [campaign for campaign, _ in places]
    rows = await read(
        database, _SQL["look"], scope_of(*campaigns), campaigns, [str(xid) for _, (xid, _) in places],
        [id for _, (_, id) in places], list(STREAMS), min(earliest(id) for _, (_, id) in places),
        list(types) if types else None, entity_id, limit, pool=pool_for(entity_id),
    )  # fmt: skip
    found: list[list[Row]] = [[] for _ in places]
    for row in rows:
        found[row["number"] - 1].append(row)
    return [_look(of, after, limit) for of, (_, after) in zip(found, places, strict=True)]


async def end_of_log(database: Database) -> Place:
    """The place that a look would have seen just now: all that is committed from now on comes after it."""
    return _horizon((await read(database, _SQL["end"]))[0])


def place_of(event: Event) -> Place:
    """The place of an event."""
    return int(event.cursor.partition("-")[0]), event.id


def cursor_of(place: Place) -> str:
    """The cursor with which to read on after a place."""
    return f"{place[0]}-{place[1]}"


async def persistently(ask: Callable[[], Awaitable[T]], patience_seconds: float) -> T:
    """The answer of `ask`, which is asked again for a while if the database cannot be reached or has no room."""
    try:
        policy = Policy(first=FIRST_PAUSE, longest=LONGEST_PAUSE, seconds=patience_seconds)
        return await retry(ask, policy, takes_over=True)
    except Exception as error:
        if not transient(error):
            raise
        reason = f"the event log could not be read for {patience_seconds:g} seconds"
        raise DatabaseUnavailable(reason=reason) from error


def _look(rows: list[Row], after: Place, limit: int) -> LogPage:
    found = [row for row in rows if row["id"] is not None]
    full = len(found) >= limit
    last = (int(found[-1]["xid"]), found[-1]["id"]) if full else _horizon(rows[0])
    return LogPage([event_of(row) for row in found if row["wanted"]], max(after, last), full)


def _horizon(row: Row) -> Place:
    return int(row["horizon"]), row["horizon_id"]
