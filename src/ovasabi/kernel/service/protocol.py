"""What one service may ask of another, which is the same whether that one runs in this process or elsewhere."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Call, Watched
from ovasabi.kernel.store.listing import ListRequest, Page
from ovasabi.kernel.store.rows import NewEntity

E = TypeVar("E", bound=Entity)


class Found(msgspec.Struct, Generic[E], frozen=True):
    """An entity that a search found, and how well it matches."""

    rank: float
    entity: E


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for."""

    q: Annotated[str, Meta(description='Words, "phrases", -exclusions, OR, prefix*.', min_length=1, max_length=500)]
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20


class SearchAnswer(msgspec.Struct, Generic[E], frozen=True):
    """The best matches of one type."""

    hits: list[Found[E]]
    total: Annotated[int, Meta(description="How many were found; 200 means at least as many.")]
    corrected: bool


class Served(Protocol):
    """Any service: what answers the calls of its methods, for the caller and in the campaign of the context."""

    async def run(self, call: Call) -> Any:
        """Answers a call of one of its methods; a long one with the operation that goes on."""

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """The answers to a call of a method that goes on answering; a bad call is refused before the first."""


class Entities(Served, Protocol[E]):
    """A service of an entity: the operations of every entity, beside the calls of its methods."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates one; with a `key`, the same again has the same answer."""

    async def create_many(self, drafts: Sequence[NewEntity]) -> Sequence[E | OvasabiError]:
        """Creates many under the same rules; an error in the place of each that was refused."""

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> E:
        """Reads one by id or uuid; with `as_of`, as it was then."""

    async def get_many(self, ids: Sequence[int]) -> Mapping[int, E]:
        """Those that are there, by id."""

    async def list(self, request: ListRequest) -> Page[E]:
        """Lists a page of them."""

    async def search(self, request: SearchRequest) -> SearchAnswer[E]:
        """Searches their text, best first."""

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> E:
        """Changes the fields that are given."""

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> E:
        """Deletes one, softly."""

    async def restore(self, reference: int | str) -> E:
        """Takes a delete back."""
