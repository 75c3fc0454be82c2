"""What several subjects of the conformance suite need."""

import asyncio
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.search.registry import EntityRegistry
from tests.integration.drafts import within


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
