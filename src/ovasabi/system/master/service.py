"""What the registry answers: its records one by one, listed, and searched by name."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.methods import Resource, read
from ovasabi.kernel.search.full_text import names_in
from ovasabi.kernel.service import Service
from ovasabi.kernel.store.registry import EntityRegistry, Mode, Record, RecordPage


class RegistryQuery(msgspec.Struct, frozen=True):
    """A page of the registry."""

    type: str | None = None
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    page_token: Annotated[str, Meta(pattern="^[0-9]{0,18}$(?!\\n)")] = ""
    deleted: Annotated[bool, Meta(description="Whether deleted ones are listed too.")] = False


class RegistrySearch(msgspec.Struct, frozen=True):
    """A search of the registry by name."""

    q: Annotated[str, Meta(min_length=1, max_length=500)]
    mode: Annotated[Mode, Meta(description="text: all words; fuzzy: one typing error each; pattern: * and ?.")] = "text"
    types: Annotated[str, Meta(description="Entity types, by comma; all if left out.")] = ""
    page_size: Annotated[int, Meta(ge=1, le=500)] = 20


class RecordHits(msgspec.Struct, frozen=True):
    """Records that match, best first."""

    records: list[Record]


class Records(Service):
    """The registry."""

    singular, plural, collection, resource = "record", "records", "master", Resource.EITHER

    @read()
    async def get(self, reference: str) -> Record:
        """One record by id or uuid, also of a deleted entity."""
        return await EntityRegistry(self.database).get(reference)

    @read()
    async def list(self, query: RegistryQuery) -> RecordPage:
        """The registry, in order of id."""
        return await EntityRegistry(self.database).list(
            type=query.type, page_size=query.page_size, page_token=query.page_token, deleted=query.deleted
        )

    @read()
    async def search(self, query: RegistrySearch) -> RecordHits:
        """The registry, by name."""
        master = EntityRegistry(self.database)
        found = await master.search(query.q, types=names_in(query.types), mode=query.mode, limit=query.page_size)
        return RecordHits(found)
