"""What the event log answers: its pages, read on from a cursor."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.events import Event, check_event_type, read_events
from ovasabi.kernel.methods import Reach, read
from ovasabi.kernel.search import names_in
from ovasabi.kernel.service import Service


class EventQuery(msgspec.Struct, frozen=True):
    """A page of the event log."""

    after: Annotated[str, Meta(description="The next_cursor of the page before; from the start if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 100
    types: Annotated[str, Meta(description="Event types, by comma; all if left out.")] = ""
    entity_id: Annotated[int | None, Meta(description="Only events of this entity.")] = None


class EventPage(msgspec.Struct, frozen=True):
    """Events in order, and where to read on: poll with `after=next_cursor`."""

    events: list[Event]
    next_cursor: str


class Events(Service):
    """The event log."""

    singular, plural, collection, reach = "event", "events", "events", Reach.EITHER

    @read()
    async def list(self, query: EventQuery) -> EventPage:
        """The next events after a cursor."""
        types = [check_event_type(name) for name in names_in(query.types) or ()] or None
        events = await read_events(
            self.database, after=query.after, limit=query.page_size, types=types, entity_id=query.entity_id
        )
        return EventPage(events, events[-1].cursor if events else query.after)
