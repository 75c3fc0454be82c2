"""The interfaces through which services call each other, in the same process or across processes."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Call, Watched
from ovasabi.kernel.search.full_text import CANDIDATES
from ovasabi.kernel.store.listing import ListRequest, Page, with_room
from ovasabi.kernel.store.rows import NewEntity

E = TypeVar("E", bound=Entity)


class Found(msgspec.Struct, Generic[E], frozen=True):
    """An entity found by a search, and how well it matches."""

    rank: float
    entity: E


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A search request."""

    q: Annotated[str, Meta(description='Words, "phrases", -exclusions, OR, prefix*.', min_length=1, max_length=500)]
    page_size: Annotated[
        int, Meta(ge=1, le=100, description="The most matches to return. They end earlier at about 2 MiB.")
    ] = 20


class SearchResponse(msgspec.Struct, Generic[E], frozen=True):
    """The best matches of one type."""

    hits: list[Found[E]]
    total: Annotated[int, Meta(description="The number of matches; 200 means 200 or more.")]
    corrected: bool


def best_of(responses: Sequence[SearchResponse[E]], limit: int) -> SearchResponse[E]:
    """Returns the best matches of several servers; corrected ones only if no server has others."""
    exact = [response for response in responses if response.hits and not response.corrected]
    found = exact or [response for response in responses if response.hits]
    hits = sorted((hit for response in found for hit in response.hits), key=lambda hit: (-hit.rank, -hit.entity.id))
    total = min(sum(response.total for response in found), CANDIDATES)
    return SearchResponse(with_room(hits, limit), total, bool(found) and not exact)


class Served(Protocol):
    """Any service: runs calls of its methods, on behalf of the caller and in the campaign of the context."""

    async def run(self, call: Call) -> Any:
        """Runs a call of one of its methods; for a long method, starts it and returns its operation."""

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """Returns the messages of a call of a watch. An invalid call is refused before the first message."""


class Entities(Served, Protocol[E]):
    """A service of an entity: the operations of every entity, in addition to calls of its methods."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates an entity; repeating the call with the same `key` has no further effect."""

    async def create_many(self, drafts: Sequence[NewEntity]) -> Sequence[E | OvasabiError]:
        """Creates entities under the same rules; returns an error in place of each refused one."""

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> E:
        """Returns an entity by id or uuid; with `as_of`, as it was at that time."""

    async def get_many(self, ids: Sequence[int]) -> Mapping[int, E]:
        """Returns those of the entities that exist, by id."""

    async def list(self, request: ListRequest) -> Page[E]:
        """Returns a page of entities."""

    async def search(self, request: SearchRequest) -> SearchResponse[E]:
        """Searches the text of the entities; the best matches come first."""

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> E:
        """Changes the given fields."""

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> E:
        """Soft-deletes an entity."""

    async def restore(self, reference: int | str) -> E:
        """Undoes the delete of an entity."""
