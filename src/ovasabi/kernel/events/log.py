"""The event log: the format of event types, and a reader that never misses an event."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.declare.ids import EPOCH, Id, id_time
from ovasabi.kernel.events.cursors import cursor_of, parse_cursor
from ovasabi.kernel.events.log_end import end_of

STATES = ("requested", "started", "success", "failed", "completed", "cancelled", "timeout", "compensated")
EVENT_TYPE = re.compile(rf"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:v[0-9]+:({'|'.join(STATES)})")

# The time of an event may precede that of an event with a smaller transaction id, by up to a transaction's duration.
SKEW = timedelta(days=1)
# By how much the time of an event and the one in its id may differ; they are the same since ids keep the clock.
_APART = timedelta(seconds=1)

_SQL = load(__file__)


class Event(msgspec.Struct, frozen=True):
    """Something that happened to an entity. `payload` contains the fields that it set."""

    id: Annotated[Id, Meta(description="The id of the event, ordered by time.")]
    type: Annotated[str, Meta(description="The event type, as service:action:vN:state.")]
    campaign_id: int
    master_id: Annotated[Id, Meta(description="The id of the entity that the event is about.")]
    version: Annotated[
        int | None, Meta(description="The version of the entity after the event; null if the event did not change it.")
    ]
    occurred_at: Annotated[datetime, Meta(tz=True)]
    actor: Annotated[str, Meta(description="Who caused the event.")]
    correlation_id: str | None
    causation_id: Annotated[int | None, Meta(description="The id of the event that caused this one.")]
    payload: Annotated[dict[str, Any], Meta(description="The fields that the event set.")]
    cursor: Annotated[str, Meta(description="Pass it as after to continue after this event.")]


async def read_events(
    database: Database,
    *,
    after: str | None = None,
    limit: int = 100,
    types: Sequence[str] | None = None,
    entity_id: int | None = None,
    streams: Sequence[str] = STREAMS,
) -> list[Event]:
    """Returns the next events of the context's campaign after a cursor, in the order (transaction, id).

    Only events of transactions older than every running one are read, so no event can appear later at a position that
    was already passed: readers miss nothing, and writers need no lock. Raises CursorUnknown if the cursor is not of
    this log.
    """
    campaign = current_campaign()
    xid, id = position = parse_cursor(after)
    rows = await read(
        database, _SQL["page"], scope_of(campaign), list(streams), campaign, earliest(id), str(xid), id,
        list(types) if types else None, entity_id, limit, pool=pool_for(entity_id),
    )  # fmt: skip
    end = await end_of(database, rows[0], [(campaign, position)])
    if (problem := end.problem(position)) is not None:
        raise problem
    # Without new events there is one row, with the end of the log alone.
    return [event_of(row) for row in rows if row["id"] is not None]


async def has_event(database: Database, id: int) -> bool:
    """Returns whether the log of the context's campaign has an event with this id."""
    campaign, at = current_campaign(), id_time(id)
    times = (at - _APART, at + _APART)
    return bool(await read(database, _SQL["has"], scope_of(campaign), campaign, list(STREAMS), id, *times))


async def follow(database: Database, *, after: str | None = None, batch: int = 500) -> AsyncIterator[list[Event]]:
    """Yields all events after a cursor in batches until the end of the log. Call it again for later events."""
    while events := await read_events(database, after=after, limit=batch):
        yield events
        after = events[-1].cursor


def pool_for(entity_id: int | None) -> Pool:
    """Returns the pool to read with: the one that reads in index order, except for the events of a single entity."""
    return Pool.FOLLOW_INDEX if entity_id is None else Pool.READ


def earliest(id: int) -> datetime:
    """Returns a lower bound for the time of all events that come after the event with this id."""
    return max(EPOCH, id_time(id) - SKEW) if id else EPOCH


def check_event_type(name: str) -> str:
    """Returns the name if it is a well-formed event type; raises `InvalidValue` otherwise."""
    if not EVENT_TYPE.fullmatch(name):
        raise InvalidValue(
            field="type", problem=f"{name!r} is not an event type.", hint="Use service:action:vN:state, in lower case."
        )
    return name


def event_of(row: Row) -> Event:
    """Returns the event of a row that a statement of this package selected."""
    return Event(
        id=row["id"],
        type=row["event_type"],
        campaign_id=row["campaign_id"],
        master_id=row["master_id"],
        version=row["version"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        payload=row["payload"],
        cursor=cursor_of((int(row["xid"]), row["id"])),
    )
