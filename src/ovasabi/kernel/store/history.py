"""The past of an entity, rebuilt from its events: its state after its creation, or at a point in time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ovasabi.database.connection import Database
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import Entity, EntityType, type_of
from ovasabi.kernel.declare.ids import id_time
from ovasabi.kernel.declare.metadata import derived, merge

E = TypeVar("E", bound=Entity)

_SQL = load(__file__)


async def is_known(database: Database, key: str) -> bool:
    """Returns whether an entity was created with a client's key in the context's campaign."""
    campaign = current_campaign()
    return bool(await read(database, _SQL["by_key"], scope_of(campaign), campaign, key))


async def ids_by_key(database: Database, keys: Sequence[str | None]) -> dict[str, int]:
    """Returns the ids of the entities that were created under client keys in the context's campaign."""
    campaign = current_campaign()
    rows = await read(database, _SQL["ids_by_key"], scope_of(campaign), campaign, keys)
    return {row["key"]: row["master_id"] for row in rows}


async def created_state(database: Database, cls: type[E], key: str) -> E:
    """Returns the entity as it was when it was created with a client's key in the context's campaign."""
    campaign = current_campaign()
    rows = await read(database, _SQL["by_key"], scope_of(campaign), campaign, key)
    if not rows:
        raise EntityNotFound(type=type_of(cls).name, reference=key)
    id = rows[0]["master_id"]
    return await state_at(database, cls, id, id_time(id), version=1)


async def state_at(database: Database, cls: type[E], id: int, at: datetime, *, version: int | None = None) -> E:
    """Returns an entity as it was at a point in time, or up to a version of it.

    Raises EntityNotFound if it did not exist or was deleted at that time.
    """
    of, campaign = type_of(cls), current_campaign()
    rows = await read(database, _SQL["events"], scope_of(campaign), of.stream, id_time(id), at, campaign, id, of.name)
    state = _folded(
        of, id, campaign, [row for row in rows if version is None or (row["version"] or version + 1) <= version]
    )
    if state is None:
        raise EntityNotFound(type=of.name, reference=id, hint=f"It did not exist at {at.isoformat()}.")
    return msgspec.convert(state, cls, strict=False)


def _folded(of: EntityType, id: int, campaign: int, rows: list[Any]) -> dict[str, Any] | None:
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
