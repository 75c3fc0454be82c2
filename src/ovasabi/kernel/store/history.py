"""The past of an entity, rebuilt from its events: its state after its creation, or at a point in time."""

from collections.abc import AsyncIterator, Sequence
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
_PART = 1000
"""The most events that are read in one statement."""

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
    first: list[Row] = []
    async for rows in _parts(database, cls, id, at, at):
        if first := [row for row in rows if row["version"] == 1]:
            break
    if key.startswith(CLIENT_KEY) and any(row["actor"] != current().principal.name for row in first):
        raise KeyReused(field="Idempotency-Key")
    return _entity(cls, _folded(cls, id, first), at)


async def state_at(database: Database, cls: type[E], id: int, at: datetime) -> E:
    """Returns an entity as it was at a point in time.

    Raises EntityNotFound if it did not exist or was deleted at that time. An event is taken to be at least as late as
    those before it, also if the clock was set back in between.
    """
    span = id_time(id) - _CLOCK_CHANGE, min(at, _LATEST - _CLOCK_CHANGE) + _CLOCK_CHANGE
    folding = _Folding(type_of(cls), id)
    async for rows in _parts(database, cls, id, *span):
        if folding.version is None and not _follows(rows):  # all there is
            return _entity(cls, _folded(cls, id, _until(at, _in_order(rows))), at)
        for row in rows:
            if row["version"] not in (None, (folding.version or 0) + 1):
                return _entity(cls, await _folded_in_order(database, cls, id, at, *span), at)
            if row["occurred_at"] > at:
                return _entity(cls, folding, at)
            folding.apply(row)
    return _entity(cls, folding, at)


async def _parts(
    database: Database, cls: type[E], id: int, first: datetime, last: datetime, sql: str = _SQL["events"]
) -> AsyncIterator[list[Row]]:
    """Yields an entity's events of a time range in parts that are bounded in bytes; usually there is a single one."""
    of, campaign, after, more = type_of(cls), current_campaign(), 0, True
    args = (scope_of(campaign), campaign, of.stream, first, last, id, of.name)
    while more and (rows := await read(database, sql, *args, after, _PART)):
        yield rows
        after, more = rows[-1]["id"], _follows(rows)


def _follows(rows: Sequence[Row]) -> bool:
    """Returns whether another part may follow."""
    return bool(rows[-1]["more"]) or len(rows) == _PART


async def _folded_in_order(
    database: Database, cls: type[E], id: int, at: datetime, first: datetime, last: datetime
) -> "_Folding":
    """Folds a history that does not fit into a part, and whose ids are not in order, event by event."""
    of, campaign = type_of(cls), current_campaign()
    rows = [row async for rows in _parts(database, cls, id, first, last, _SQL["order"]) for row in rows]
    folding = _Folding(of, id)
    for row in _until(at, _in_order(rows)):
        args = (scope_of(campaign), campaign, of.stream, row["occurred_at"], id, row["id"])
        folding.apply(*await read(database, _SQL["one"], *args))
    return folding


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


def _entity(cls: type[E], folding: "_Folding", at: datetime) -> E:
    if (state := folding.result()) is None:
        raise EntityNotFound(
            type=type_of(cls).name, reference=folding.id, hint=f"It did not exist at {at.isoformat()}."
        )
    return msgspec.convert(state, cls, strict=False)


def _folded(cls: type[E], id: int, rows: Sequence[Row]) -> "_Folding":
    folding = _Folding(type_of(cls), id)
    for row in rows:
        folding.apply(row)
    return folding


class _Folding:
    """The state of an entity after the events that were applied to it, in order."""

    def __init__(self, of: EntityType, id: int) -> None:
        self.id = id
        self.version: int | None = None
        self._of = of
        self._shown = {field.name for field in of.shown}
        self._state: dict[str, Any] | None = None
        self._deleted = False

    def apply(self, row: Row) -> None:
        """Applies the payload of the next event."""
        payload: dict[str, Any] = row["payload"]
        if self._state is None:
            id, campaign = self.id, current_campaign()
            self._state = {
                "id": id, "uuid": row["uuid"], "campaign_id": campaign, "created_at": id_time(id), "metadata": {},
            }  # fmt: skip
        state = self._state
        if "metadata" in payload:
            state["metadata"] = merge(state["metadata"], payload["metadata"])
        state.update({name: value for name, value in payload.items() if name in self._shown})
        if row["version"] is not None:
            state["version"] = self.version = row["version"]
            state["updated_at"] = row["occurred_at"]
            verb = row["event_type"].split(":")[1]
            deleted = verb == self._of.action("delete")
            self._deleted = deleted or (self._deleted and verb != self._of.action("restore"))

    def result(self) -> dict[str, Any] | None:
        """Returns the state, or None if the entity is deleted or does not exist."""
        if self._state is None or self._deleted:
            return None
        return self._state | derived(self._of, self._state["metadata"])
