"""Nesting: content may belong to other content, but never to itself, directly or through other content."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ovasabi.kernel.call.locks import locked
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.content.entity import Content
from ovasabi.services.content.errors import NestedTooDeep, OwnAncestor

MAX_DEPTH = 50


@asynccontextmanager
async def nesting(contents: Repository[Content]) -> AsyncIterator[None]:
    """Opens a transaction that may change parents: one at a time per campaign, or two together could form a cycle."""
    async with locked(contents.database, "content nesting"):
        yield


async def check_ancestors(contents: Repository[Content], id: int, parent_id: int | None) -> None:
    """Follows the ancestors from `parent_id` up, and refuses if `id` is among them. Must be called within `nesting`."""
    for _ in range(MAX_DEPTH):
        if parent_id == id:
            raise OwnAncestor(field="parent_id")
        parent = None if parent_id is None else (await contents.get_many([parent_id])).get(parent_id)
        if parent is None:
            return
        parent_id = parent.parent_id
    raise NestedTooDeep(field="parent_id", depth=MAX_DEPTH)
