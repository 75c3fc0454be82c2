"""The API of the registry: records read by id, listed, and searched by name."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.methods import Resource, read
from ovasabi.kernel.search.full_text import names_in
from ovasabi.kernel.search.registry import EntityRegistry, Mode, Record, RecordPage
from ovasabi.kernel.service import Service


class RegistryQuery(msgspec.Struct, frozen=True):
    """Parameters for listing records."""

    type: str | None = None
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    page_token: Annotated[str, Meta(pattern="^[0-9]{0,18}$(?!\\n)")] = ""
    deleted: Annotated[bool, Meta(description="Whether to include records of deleted entities.")] = False


class RegistrySearch(msgspec.Struct, frozen=True):
    """Parameters for searching records by name."""

    q: Annotated[str, Meta(min_length=1, max_length=500)]
    mode: Annotated[
        Mode,
        Meta(
            description="`text` matches all words; `fuzzy` allows one typo per word; "
            "`pattern` matches with the wildcards * and ?."
        ),
    ] = "text"
    types: Annotated[str, Meta(description="Comma-separated entity types. If omitted, all types.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=500)] = 20


class RecordHits(msgspec.Struct, frozen=True):
    """The matching records, best match first."""

    records: list[Record]


class Records(Service):
    """The registry of all entities."""

    singular, plural, collection, resource = "record", "records", "master", Resource.EITHER

    @read()
    async def get(self, reference: str) -> Record:
        """Returns a record by id or UUID, even if its entity is deleted."""
        return await EntityRegistry(self.database).get(reference)

    @read()
    async def list(self, query: RegistryQuery) -> RecordPage:
        """Lists records in order of id."""
        return await EntityRegistry(self.database).list(
            type=query.type, page_size=query.page_size, page_token=query.page_token, deleted=query.deleted
        )

    @read()
    async def search(self, query: RegistrySearch) -> RecordHits:
        """Searches records by name."""
        master = EntityRegistry(self.database)
        found = await master.search(query.q, types=names_in(query.types), mode=query.mode, limit=query.page_size)
        return RecordHits(found)
