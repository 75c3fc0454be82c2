"""The rules of content: draft, published or archived; nested without cycles; with comments and reactions."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.services.content.comments import Comments, NewComment
from ovasabi.services.content.entity import Comment, Content, ContentState, Reaction
from ovasabi.services.content.nesting import check_ancestors, nesting
from ovasabi.services.content.reactions import Reactions, UserReaction

DRAFT, PUBLISHED, ARCHIVED = ContentState.DRAFT, ContentState.PUBLISHED, ContentState.ARCHIVED


class Contents(EntityService[Content]):
    """Contents."""

    @asynccontextmanager
    async def around_update(self, id: int, values: Mapping[str, Any]) -> AsyncIterator[None]:
        """A new parent must not be the content itself or one of its descendants."""
        if values.get("parent_id") is None:
            yield
            return
        async with nesting(self.repository):
            await check_ancestors(self.repository, id, values["parent_id"])
            yield

    async def after_restore(self, entity: Content) -> None:
        """Refuses the restore if the content's parent has become its descendant in the meantime."""
        if entity.parent_id is not None:
            async with nesting(self.repository):
                await check_ancestors(self.repository, entity.id, entity.parent_id)

    @move(from_=[DRAFT], to=PUBLISHED)
    async def publish(self, content: Content) -> Values:
        """Publishes a draft immediately."""
        return {"published_at": self.present_time(content)}

    @move(from_=[PUBLISHED], to=DRAFT)
    async def unpublish(self, content: Content) -> Values:
        """Turns published content back into a draft."""
        return {"published_at": None}

    @move(from_=[DRAFT, PUBLISHED], to=ARCHIVED)
    async def archive(self, content: Content) -> None:
        """Archives the content. Archived content does not accept comments or reactions."""

    @move(from_=[ARCHIVED], to=DRAFT)
    async def unarchive(self, content: Content) -> Values:
        """Turns archived content back into a draft."""
        return {"published_at": None}

    @verb()
    async def comment(self, content: Content, request: NewComment) -> Comment:
        """Adds a comment to the content."""
        values = {"body": request.body, "author_id": request.author_id, "reply_to_id": request.reply_to_id}
        return await self.registry.service(Comments).create({"content_id": content.id, **values})

    @verb()
    async def react(self, content: Content, request: UserReaction) -> Reaction:
        """Adds a user's reaction to the content.

        If the user has already reacted in this way, the existing reaction is returned.
        """
        return await self.registry.service(Reactions).add(content, request)

    @verb()
    async def unreact(self, content: Content, request: UserReaction) -> Content:
        """Removes a user's reaction, and returns the content with its current counts.

        Has no effect if there is no such reaction.
        """
        await self.registry.service(Reactions).remove(content, request)
        return await self.get(content.id)
