"""Reactions: each kind once per user and content, and counted there."""

import msgspec

from ovasabi.kernel.call.errors import Contended, EntityNotFound, KeyTaken
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.services.content.entity import Content, Reaction, ReactionKind


class UserReaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who reacts, and how."""

    user_id: Id
    kind: ReactionKind


class Reactions(EntityService[Reaction]):
    """Reactions."""

    async def add(self, content: Content, wanted: UserReaction) -> Reaction:
        """A user's reaction to content: a new one, or the one that is there already."""
        values = {"content_id": content.id, "user_id": wanted.user_id, "kind": wanted.kind}
        try:
            return await self.create(values)
        except KeyTaken:
            if (present := await self._find(content, wanted)) is not None:
                return present
            raise Contended from None  # it was taken back between the two looks

    async def remove(self, content: Content, wanted: UserReaction) -> None:
        """Takes a user's reaction back; without one, there is nothing to do."""
        if (present := await self._find(content, wanted)) is None:
            return
        try:
            await self.repository.delete(present.id)
        except EntityNotFound:
            return  # somebody else took it back first

    async def _find(self, content: Content, wanted: UserReaction) -> Reaction | None:
        filter = f"content_id = {content.id} AND user_id = {wanted.user_id} AND kind = {wanted.kind}"
        page = await self.list(ListRequest(filter=filter, page_size=1))
        return page.items[0] if page.items else None
