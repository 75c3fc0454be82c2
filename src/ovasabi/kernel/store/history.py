"""The past of an entity, rebuilt from its events: its state after its creation, or at a point in time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from ovasabi.database.connection import Database, Row
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import CLIENT_KEY, current, current_campaign
from ovasabi.kernel.call.errors import EntityNotFound, KeyReused
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import Entity, EntityType, type_of
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.declare.metadata import derived, merge

E = TypeVar("E", bound=Entity)

_LATEST = datetime.max.replace(tzinfo=UTC)
_CLOCK_CHANGE = timedelta(days=1)
"""By how much clocks may have been set back while the log was written, before ids kept its times from going back."""

_SQL = load(__file__)


async def request_of(database: Database, key: str) -> Row | None:
    """Returns what is known of the create with a key of the context's caller in the context's campaign, if anything."""
    campaign = current_campaign()
    caller = current().principal.name if key.startswith(CLIENT_KEY) else ""
    rows = await read(database, _SQL["by_key"], scope_of(campaign), campaign, key, caller)
    return rows[0] if rows else None


async def ids_by_key(database: Database, keys: Sequence[str | None]) -> dict[str, int]:
    """Returns the ids of the entities that were created under client keys in the context's campaign."""
    campaign = current_campaign()
    rows = await read(database, _SQL["ids_by_key"], scope_of(campaign), campaign, keys)
    return {row["key"]: row["master_id"] for row in rows}


async def created_state(database: Database, cls: type[E], key: str) -> E:
    """Returns the entity as it was when it was created with a key of the context's caller.

    A client's key from before keys had callers may be another caller's: it then raises KeyReused.
    """
    request = await request_of(database, key)
    if request is None:
        raise EntityNotFound(type=type_of(cls).name, reference=key)
    id, at = request["master_id"], id_time(request["master_id"])
    first = [row for row in await _events(database, cls, id, at, at) if row["version"] == 1]
    if key.startswith(CLIENT_KEY) and any(row["actor"] != current().principal.name for row in first):
        raise KeyReused(field="Idempotency-Key")
    return _entity(cls, id, first, at)


async def state_at(database: Database, cls: type[E], id: int, at: datetime) -> E:
    """Returns an entity as it was at a point in time.

    Raises EntityNotFound if it did not exist or was deleted at that time. An event is taken to be at least as late as
    those before it, also if the clock was set back in between.
    """
    last = min(at, _LATEST - _CLOCK_CHANGE) + _CLOCK_CHANGE
    rows = await _events(database, cls, id, id_time(id) - _CLOCK_CHANGE, last)
    return _entity(cls, id, _until(at, _in_order(rows)), at)


async def _events(database: Database, cls: type[E], id: int, first: datetime, last: datetime) -> list[Row]:
    of, campaign = type_of(cls), current_campaign()
    return await read(database, _SQL["events"], scope_of(campaign), of.stream, first, last, campaign, id, of.name)


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """Returns the events in the order in which they happened.

    That is the order of their ids, which are taken behind the lock of the row that they change. Where a clock was set
    back before ids kept up with it, the versions tell.
    """
    versions = iter(sorted((row for row in rows if row["version"] is not None), key=lambda row: row["version"]))
    return [row if row["version"] is None else next(versions) for row in rows]


def _until(at: datetime, rows: Sequence[Row]) -> list[Row]:
    """Returns the events up to the first one after a point in time; one that is missing was even later."""
    found: list[Row] = []
    expected = None
    for row in rows:
        if row["occurred_at"] > at or (row["version"] is not None and expected not in (None, row["version"])):
            break
        found.append(row)
        expected = expected if row["version"] is None else row["version"] + 1
    return found


def _entity(cls: type[E], id: int, rows: Sequence[Row], at: datetime) -> E:
    of = type_of(cls)
    state = _folded(of, id, current_campaign(), rows)
    if state is None:
        raise EntityNotFound(type=of.name, reference=id, hint=f"It did not exist at {at.isoformat()}.")
    return msgspec.convert(state, cls, strict=False)


def _folded(of: EntityType, id: int, campaign: int, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Applies the payloads of the events in order, and returns the state, or None if the entity is deleted."""
    shown = {field.name for field in of.shown}
    state: dict[str, Any] | None = None
    deleted = False
    for row in rows:
        payload: dict[str, Any] = row["payload"]
        if state is None:
            state = {"id": id, "uuid": row["uuid"], "campaign_id": campaign, "created_at": id_time(id), "metadata": {}}
        if "metadata" in payload:
            state["metadata"] = merge(state["metadata"], payload["metadata"])
        state.update({name: value for name, value in payload.items() if name in shown})
        if row["version"] is not None:
            state["version"] = row["version"]
            state["updated_at"] = row["occurred_at"]
            verb = row["event_type"].split(":")[1]
            deleted = verb == of.action("delete") or (deleted and verb != of.action("restore"))
    if state is None or deleted:
        return None
    return state | derived(of, state["metadata"])
