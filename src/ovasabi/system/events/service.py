"""What the event log answers: its pages, read on from a cursor, and events as they happen."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.declare.methods import Resource, Watched, read, watch
from ovasabi.kernel.events.log import Event, check_event_type, read_events
from ovasabi.kernel.events.subscriptions import Watch
from ovasabi.kernel.search.full_text import names_in
from ovasabi.kernel.service import Service


class EventQuery(msgspec.Struct, frozen=True):
    """A page of the event log."""

    after: Annotated[str, Meta(description="The next_cursor of the page before; from the start if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 100
    types: Annotated[str, Meta(description="Event types, by comma; all if left out.")] = ""
    entity_id: Annotated[Id | None, Meta(description="Only events of this entity.")] = None


class EventPage(msgspec.Struct, frozen=True):
    """Events in order, and where to read on: poll with `after=next_cursor`."""

    events: list[Event]
    next_cursor: str


class EventWatch(msgspec.Struct, frozen=True):
    """Which events to tell, as they happen."""

    after: Annotated[
        str, Meta(description="The cursor to resume after; `now` for the log's present end; its start if left out.")
    ] = ""
    types: Annotated[str, Meta(description="Event types, by comma; all if left out.")] = ""
    entity_id: Annotated[Id | None, Meta(description="Only events of this entity.")] = None
    heartbeat_seconds: Annotated[float, Meta(ge=0.1, le=300, description="A sign of life after so much silence.")] = 15


class WatchedEvent(Watched, frozen=True, kw_only=True):
    """An event that happened; without one, a heartbeat."""

    event: Event | None = None


class Events(Service):
    """The event log."""

    singular, plural, collection, resource = "event", "events", "events", Resource.EITHER

    @read()
    async def list(self, query: EventQuery) -> EventPage:
        """The next events after a cursor."""
        types = [check_event_type(name) for name in names_in(query.types) or ()] or None
        events = await read_events(
            self.database, after=query.after, limit=query.page_size, types=types, entity_id=query.entity_id
        )
        return EventPage(events, events[-1].cursor if events else query.after)

    @watch()
    def watch(self, query: EventWatch) -> AsyncGenerator[WatchedEvent, None]:
        """The events after a cursor, then each as it is committed, with heartbeats between.

        A reader that is slower than what happens is told where to resume, and dropped.
        """
        watched = self.registry.subscriptions.watch(
            after=query.after,
            types=names_in(query.types),
            entity_id=query.entity_id,
            heartbeat_seconds=query.heartbeat_seconds,
        )
        return _told(watched)


async def _told(watched: Watch) -> AsyncGenerator[WatchedEvent, None]:
    async with aclosing(watched):
        async for item in watched:
            yield WatchedEvent(cursor=item.cursor, event=item if isinstance(item, Event) else None)
