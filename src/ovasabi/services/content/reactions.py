"""Reactions: each kind once per user and content; the content counts them."""

import msgspec

from ovasabi.kernel.call.errors import Contended, EntityNotFound, KeyTaken
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.filters import filter_of
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.services.content.entity import Content, Reaction, ReactionKind


class UserReaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user, and the kind of the reaction."""

    user_id: Id
    kind: ReactionKind


class Reactions(EntityService[Reaction]):
    """Reactions."""

    async def add(self, content: Content, request: UserReaction) -> Reaction:
        """Adds a user's reaction to content, or returns the existing one."""
        values = {"content_id": content.id, "user_id": request.user_id, "kind": request.kind}
        try:
            return await self.create(values)
        except KeyTaken:
            if (existing := await self._find(content, request)) is not None:
                return existing
            raise Contended from None  # it was removed after the create had found it

    async def remove(self, content: Content, request: UserReaction) -> None:
        """Removes a user's reaction; has no effect if there is none."""
        if (existing := await self._find(content, request)) is None:
            return
        try:
            await self.repository.delete(existing.id)
        except EntityNotFound:
            return  # a concurrent call removed it first

    async def _find(self, content: Content, request: UserReaction) -> Reaction | None:
        wanted = filter_of("content_id = {} AND user_id = {} AND kind = {}", content.id, request.user_id, request.kind)
        page = await self.list(ListRequest(filter=wanted, page_size=1))
        return page.items[0] if page.items else None
