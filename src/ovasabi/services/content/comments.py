"""Comments on content that exists and is not archived; the content counts them."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.entity import Comment
from ovasabi.services.content.errors import ReplyElsewhere


class NewComment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a new comment, its author, and the comment it replies to."""

    body: Annotated[str, Meta(min_length=1, max_length=10_000)]
    author_id: Id | None = None
    reply_to_id: Id | None = None


class Comments(EntityService[Comment]):
    """Comments."""

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """A reply must be to a comment on the same content."""
        # Comments never move to other content, so checking once is enough.
        ids = {id for draft in drafts if (id := draft.values.get("reply_to_id")) is not None}
        replied_to = await self.repository.get_many(sorted(ids)) if ids else {}

        def prepared(draft: NewEntity) -> NewEntity | OvasabiError:
            comment = replied_to.get(draft.values.get("reply_to_id") or 0)  # if it does not exist, the create fails
            if comment is not None and comment.content_id != draft.values["content_id"]:
                return ReplyElsewhere(field="reply_to_id")
            return draft

        return [prepared(draft) for draft in drafts]
