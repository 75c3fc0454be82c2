"""Comments: said about content that exists and is not archived, and counted there."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.counters import Counted
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.content.entity import Comment, Content, ContentState
from ovasabi.services.content.errors import ContentArchived, ReplyElsewhere


class NewComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said, by whom, and in answer to which comment."""

    body: Annotated[str, Meta(min_length=1, max_length=10_000)]
    author_id: Id | None = None
    reply_to_id: Id | None = None


def check_open(content: Content) -> None:
    """Refuses archived content: it stays as it is."""
    if content.state is ContentState.ARCHIVED:
        raise ContentArchived


class Comments(EntityService[Comment]):
    """Comments."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Comment:
        """Adds one to its content, and counts it there."""
        await self._check_reply(values)
        return await self._counted.create(values, key=key)

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Comment:
        """Deletes one, softly, and counts it no more; answers to it stay."""
        comment = await self.get(reference)
        return await self._counted.delete(comment.id, expected_version=expected_version)

    async def restore(self, reference: int | str) -> Comment:
        """Takes a delete back, and counts it again."""
        id, _ = self.repository.resolve(reference)
        return await self._counted.restore(id)

    @cached_property
    def _counted(self) -> Counted[Comment, Content]:
        contents = Repository(self.database, Content)
        return Counted(self.repository, contents, reference="content_id", counter="comment_count", admit=check_open)

    async def _check_reply(self, values: Mapping[str, Any]) -> None:
        """Which content a comment is on never changes, so that what is read here holds."""
        reply_to = values.get("reply_to_id")
        if reply_to is None:
            return
        with suppress(EntityNotFound):  # the create says so itself
            answered = await self.repository.get(reply_to)
            if answered.content_id != values["content_id"]:
                raise ReplyElsewhere(field="reply_to_id")
