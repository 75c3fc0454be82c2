"""What several subjects of the conformance suite need."""

import asyncio
from typing import Any

import msgspec

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.search.registry import EntityRegistry
from tests.integration.drafts import within


async def name_of(database: Database, of: EntityType, entity: Any) -> str:
    """The name that an entity has in the registry: its title, whatever its type is, as PostgreSQL writes it."""
    text = str(msgspec.to_builtins(getattr(entity, of.title)))
    (row,) = await database.read(f"SELECT left($1::text::{of.by_name[of.title].sql_type}::text, 200)", text)
    return str(row[0])


async def events_of(database: Database, entity: Any) -> list[Event]:
    """The events of an entity, once every transaction that was open meanwhile has ended."""
    with within(entity):
        version = (await EntityRegistry(database).get(entity.id)).version
        for _ in range(500):
            events = await read_events(database, entity_id=entity.id)
            if max((event.version or 0 for event in events), default=0) >= version:
                return events
            await asyncio.sleep(0.02)
    raise AssertionError("the events do not come")
