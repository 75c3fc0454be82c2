"""Comments: said about content that exists and is not archived, and counted there."""

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
    """What is said, by whom, and in answer to which comment."""

    body: Annotated[str, Meta(min_length=1, max_length=10_000)]
    author_id: Id | None = None
    reply_to_id: Id | None = None


class Comments(EntityService[Comment]):
    """Comments."""

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """A reply answers a comment on the same content, which is never on another one later."""
        ids = {id for draft in drafts if (id := draft.values.get("reply_to_id")) is not None}
        answered = await self.repository.get_many(sorted(ids)) if ids else {}

        def prepared(draft: NewEntity) -> NewEntity | OvasabiError:
            to = answered.get(draft.values.get("reply_to_id") or 0)  # of one that is not there, the create says so
            if to is not None and to.content_id != draft.values["content_id"]:
                return ReplyElsewhere(field="reply_to_id")
            return draft

        return [prepared(draft) for draft in drafts]
