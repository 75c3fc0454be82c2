"""The API of the event log: pages read from a cursor, and events as they happen."""

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
    """Parameters for listing events."""

    after: Annotated[
        str, Meta(description="The next_cursor of the previous page. If omitted, reads from the start of the log.")
    ] = ""
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 100
    types: Annotated[str, Meta(description="Comma-separated event types. If omitted, all types.")] = ""
    entity_id: Annotated[Id | None, Meta(description="Only events of this entity.")] = None


class EventPage(msgspec.Struct, frozen=True):
    """A page of events in order. To read on, or to poll for new events, pass `next_cursor` as `after`."""

    events: list[Event]
    next_cursor: str


class EventWatch(msgspec.Struct, frozen=True):
    """Parameters for watching events as they happen."""

    after: Annotated[
        str,
        Meta(
            description="The cursor to resume after, or `now` for the current end of the log. "
            "If omitted, starts from the beginning of the log."
        ),
    ] = ""
    types: Annotated[str, Meta(description="Comma-separated event types. If omitted, all types.")] = ""
    entity_id: Annotated[Id | None, Meta(description="Only events of this entity.")] = None
    heartbeat_seconds: Annotated[float, Meta(ge=0.1, le=300, description="Heartbeat interval in seconds.")] = 15


class WatchedEvent(Watched, frozen=True, kw_only=True):
    """An event, or a heartbeat if `event` is null."""

    event: Event | None = None


class Events(Service):
    """The event log."""

    singular, plural, collection, resource = "event", "events", "events", Resource.EITHER

    @read()
    async def list(self, query: EventQuery) -> EventPage:
        """Returns the next page of events after a cursor."""
        types = [check_event_type(name) for name in names_in(query.types) or ()] or None
        events = await read_events(
            self.database, after=query.after, limit=query.page_size, types=types, entity_id=query.entity_id
        )
        return EventPage(events, events[-1].cursor if events else query.after)

    @watch()
    def watch(self, query: EventWatch) -> AsyncGenerator[WatchedEvent, None]:
        """Streams the events after a cursor, then new events as they are committed, with heartbeats in between.

        A client that cannot keep up is disconnected with an error that says where to resume.
        """
        watched = self.registry.subscriptions.watch(
            after=query.after,
            types=names_in(query.types),
            entity_id=query.entity_id,
            heartbeat_seconds=query.heartbeat_seconds,
        )
        return _messages(watched)


async def _messages(watched: Watch) -> AsyncGenerator[WatchedEvent, None]:
    async with aclosing(watched):
        async for item in watched:
            if isinstance(item, Event):
                yield WatchedEvent(cursor=item.cursor, event=item)
            else:
                yield WatchedEvent(cursor=item.cursor, lag_seconds=item.lag_seconds)
