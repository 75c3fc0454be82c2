"""Search in a campaign: all searchable types at once, with the number of matches per type."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import current_campaign
from ovasabi.kernel.declare.methods import read
from ovasabi.kernel.search.full_text import names_in, search
from ovasabi.kernel.search.registry import EntityRegistry, Record
from ovasabi.kernel.service import Service


class SearchQuery(msgspec.Struct, frozen=True):
    """Parameters for searching all searchable types."""

    q: Annotated[str, Meta(min_length=1, max_length=500)]
    types: Annotated[str, Meta(description="Comma-separated entity types. If omitted, all types.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20


class SearchHits(msgspec.Struct, frozen=True):
    """The matches, best first, and the number of matches per type. Counts stop at 200, which means 200 or more."""

    hits: list[Record]
    facets: dict[str, int]
    corrected: bool


class Search(Service):
    """Search across all types."""

    @read()
    async def search(self, query: SearchQuery) -> SearchHits:
        """Searches all searchable types of the campaign at once."""
        return await self.registry.result_cache.get((Search, query), current_campaign(), lambda: self._search(query))

    async def _search(self, query: SearchQuery) -> SearchHits:
        found = await search(self.database, query.q, types=names_in(query.types), limit=query.page_size)
        ids = [hit.id for hit in found.hits]
        records = await EntityRegistry(self.database).get_many(ids) if ids else {}
        hits = [msgspec.structs.replace(records[hit.id], rank=hit.rank) for hit in found.hits if hit.id in records]
        return SearchHits(hits, found.facets, found.corrected)
