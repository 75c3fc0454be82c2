"""Routes that are about all entity types at once: the registry, the event log, and search over everything."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.gateway.http import Answer, Endpoint, Http, answer
from ovasabi.gateway.problems import NoRoute
from ovasabi.gateway.requests import context_of, decode_query
from ovasabi.gateway.router import Route
from ovasabi.gateway.routes import SCOPED, EntityRoutes
from ovasabi.kernel.context import Role, acting
from ovasabi.kernel.events import Event, check_event_type, read_events
from ovasabi.kernel.master import MasterRepository, Mode, Record, RecordPage
from ovasabi.kernel.search import search
from ovasabi.runtime import Platform


class RegistryQuery(msgspec.Struct, frozen=True):
    """A page of the registry."""

    type: str | None = None
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    page_token: str = ""
    deleted: Annotated[bool, Meta(description="Whether deleted ones are listed too.")] = False


class RegistrySearch(msgspec.Struct, frozen=True):
    """A search of the registry by name."""

    q: Annotated[str, Meta(min_length=1, max_length=500)]
    mode: Annotated[Mode, Meta(description="text: all words; fuzzy: one typing error each; pattern: * and ?.")] = "text"
    types: Annotated[str, Meta(description="Entity types, by comma; all if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=500)] = 20


class EventQuery(msgspec.Struct, frozen=True):
    """A page of the event log."""

    after: Annotated[str, Meta(description="The next_cursor of the page before; from the start if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 100
    types: Annotated[str, Meta(description="Event types, by comma; all if left out.")] = ""
    entity_id: Annotated[int | None, Meta(description="Only events of this entity.")] = None


class SearchQuery(msgspec.Struct, frozen=True):
    """A search over all searchable types."""

    q: Annotated[str, Meta(min_length=1, max_length=500)]
    types: Annotated[str, Meta(description="Entity types, by comma; all if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20


class EventPage(msgspec.Struct, frozen=True):
    """Events in order, and where to read on: poll with `after=next_cursor`."""

    events: list[Event]
    next_cursor: str


class RecordHits(msgspec.Struct, frozen=True):
    """Records that match, best first."""

    records: list[Record]


class SearchHits(msgspec.Struct, frozen=True):
    """What matches, best first, and how many of each type; 200 means at least as many."""

    hits: list[Record]
    facets: dict[str, int]
    corrected: bool


async def list_records(request: Http, platform: Platform) -> Answer:
    """The registry, in order of id."""
    query: RegistryQuery = decode_query(request, RegistryQuery)
    page = await MasterRepository(platform.database).list(
        type=query.type, page_size=query.page_size, page_token=query.page_token, deleted=query.deleted
    )
    return answer(page)


async def search_records(request: Http, platform: Platform) -> Answer:
    """The registry, by name."""
    query: RegistrySearch = decode_query(request, RegistrySearch)
    master = MasterRepository(platform.database)
    found = await master.search(query.q, types=_names(query.types), mode=query.mode, limit=query.page_size)
    return answer(RecordHits(found))


async def get_record(request: Http, platform: Platform) -> Answer:
    """One record by id or uuid."""
    return answer(await MasterRepository(platform.database).get(str(request.path_params["target"])))


async def list_events(request: Http, platform: Platform) -> Answer:
    """The next events after a cursor."""
    query: EventQuery = decode_query(request, EventQuery)
    types = [check_event_type(name) for name in _names(query.types) or ()] or None
    events = await read_events(
        platform.database, after=query.after, limit=query.page_size, types=types, entity_id=query.entity_id
    )
    return answer(EventPage(events, events[-1].cursor if events else query.after))


async def search_all(request: Http, platform: Platform) -> Answer:
    """All searchable types of the campaign at once."""
    query: SearchQuery = decode_query(request, SearchQuery)
    found = await search(platform.database, query.q, types=_names(query.types), limit=query.page_size)
    records = await MasterRepository(platform.database).get_many([hit.id for hit in found.hits]) if found.hits else {}
    hits = [msgspec.structs.replace(records[hit.id], rank=hit.rank) for hit in found.hits if hit.id in records]
    return answer(SearchHits(hits, found.facets, found.corrected))


FEEDS: list[tuple[str, Endpoint, Any, Any]] = [
    ("/master", list_records, RegistryQuery, RecordPage),
    ("/master:search", search_records, RegistrySearch, RecordHits),
    ("/master/{target}", get_record, None, Record),
    ("/events", list_events, EventQuery, EventPage),
]


def feed_routes(campaigns: EntityRoutes) -> list[Route]:
    """The feeds of a campaign, and of the platform; and the campaign itself, whose `:search` covers all types."""
    routes = [Route(SCOPED + path, _reading(endpoint), ["GET"]) for path, endpoint, _, _ in FEEDS]
    routes += [Route("/v1" + path, _reading(endpoint), ["GET"]) for path, endpoint, _, _ in FEEDS]

    async def campaign(request: Http, platform: Platform) -> Answer:
        reference, _, suffix = str(request.path_params["campaign"]).partition(":")
        if suffix == "search" and request.verb == "GET":
            return await _reading(search_all)(request, platform)
        return await campaigns.run(request, platform, True, suffix, reference)

    routes.append(Route(SCOPED, campaign, ["DELETE", "GET", "PATCH", "POST"]))
    return routes


def _reading(endpoint: Endpoint) -> Endpoint:
    """An endpoint for readers, in the campaign of its path (or on the platform)."""

    async def read(request: Http, platform: Platform) -> Answer:
        campaign = request.path_params.get("campaign")
        name = str(campaign).partition(":")[0] if campaign is not None else None
        if name == "":
            raise NoRoute(method=request.method, path=request.path)
        with acting(await context_of(platform, request, name, Role.READER)):
            return await endpoint(request, platform)

    return read


def _names(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None
