"""The registry of all entities, with their types and names: looking up, listing and searching its records."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Database, Row
from ovasabi.database.pools import Pool
from ovasabi.database.sql import load
from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import read
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.ids import Id, number_in, parse_reference

_SQL = load(__file__)
STATUSES = {1: "active", 2: "deleted"}
Mode = Literal["text", "pattern", "fuzzy"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An entity's record in the registry."""

    id: Id
    uuid: UUID
    campaign_id: Annotated[int, Meta(ge=0)]
    type: Annotated[str, Meta(description="The entity's type.")]
    name: str
    status: Annotated[str, Meta(description="active or deleted.")]
    version: Annotated[int, Meta(ge=1)]
    created_at: Annotated[datetime, Meta(tz=True)]
    updated_at: Annotated[datetime, Meta(tz=True)]
    rank: Annotated[float | None, Meta(description="In a search, how well the name matches.")] = None


class RecordPage(msgspec.Struct, frozen=True):
    """One page of registry records."""

    records: list[Record]
    next_page_token: str = ""


Records = list[Record]
"""Defined here because `list` is a method inside the class below."""


class EntityRegistry:
    """Read access to the registry of the context's campaign. Every change of an entity also updates its record."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def get(self, reference: int | str | UUID) -> Record:
        """Returns one record by id or uuid, including that of a deleted entity."""
        campaign = current_campaign()
        parsed = parse_reference(str(reference))
        rows = await read(self.database, _SQL["get"], scope_of(campaign), campaign, parsed[0]) if parsed else []
        if not rows or parsed is None or (parsed[1] is not None and rows[0]["uuid"] != parsed[1]):
            raise EntityNotFound(type="entity", reference=reference)
        return _record(rows[0])

    async def get_many(self, ids: Sequence[int]) -> dict[int, Record]:
        """Returns the records of the entities that exist and are not deleted, by id."""
        campaign = current_campaign()
        rows = await read(self.database, _SQL["get_many"], scope_of(campaign), campaign, list(ids))
        return {row["id"]: _record(row) for row in rows}

    async def list(
        self, *, type: str | None = None, page_size: int = 50, page_token: str = "", deleted: bool = False
    ) -> RecordPage:
        """Returns a page of records ordered by id, the oldest first."""
        if not 1 <= page_size <= 1000:
            raise InvalidValue(field="page_size", problem="page_size must be between 1 and 1000.")
        after = number_in(page_token or "0", digits=18)
        if after is None:
            raise InvalidValue(field="page_token", problem="The page token does not belong to this list.")
        _check_types([type] if type else None)
        campaign = current_campaign()
        args = (scope_of(campaign), campaign, type, after, deleted, page_size + 1)
        rows = await read(self.database, _SQL["list"], *args, pool=Pool.FOLLOW_INDEX)
        records = [_record(row) for row in rows[:page_size]]
        return RecordPage(records, str(records[-1].id) if len(rows) > page_size else "")

    async def search(
        self, query: str, *, types: Sequence[str] | None = None, mode: Mode = "text", limit: int = 20
    ) -> Records:
        """Returns records by name, best match first.

        Mode `text` matches all words, `fuzzy` allows one typing error per word, and `pattern` supports * and ?.
        """
        if not 1 <= limit <= 500 or not query.strip() or len(query) > 500:
            raise InvalidValue(
                field="q", problem="The query must have 1 to 500 characters, and the limit must be between 1 and 500."
            )
        _check_types(types)
        text = _pattern(query) if mode == "pattern" else query
        campaign, among = current_campaign(), list(types) if types else None
        rows = await read(self.database, _SQL["search"], scope_of(campaign), campaign, among, text, mode, limit)
        return [_record(row, row["rank"]) for row in rows]


def _check_types(types: Sequence[str] | None) -> None:
    for type in types or ():
        if type not in declared:
            allowed = ", ".join(sorted(declared))
            raise InvalidValue(field="type", problem=f"{type!r} is not an entity type.", hint=f"Allowed: {allowed}.")


def _pattern(query: str) -> str:
    """Converts a pattern with * and ? to the syntax of LIKE; without either, it matches any name with that text."""
    escaped = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if "*" not in query and "?" not in query:
        return f"%{escaped}%"
    return escaped.replace("*", "%").replace("?", "_")


def _record(row: Row, rank: float | None = None) -> Record:
    values = {name: row[name] for name in Record.__struct_fields__ if name not in ("status", "rank")}
    return Record(**values, status=STATUSES[row["status"]], rank=rank)
