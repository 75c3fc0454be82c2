"""Content: published and archived, nested without rings, and counted rightly however many write at once."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from ovasabi.kernel.call.context import PLATFORM, Context, acting, on_platform, system_context
from ovasabi.kernel.call.errors import EntityNotFound, KeyReused, KeyTaken, ReferenceMissing, VersionConflict
from ovasabi.kernel.declare.counters import ParentDeleted
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.history import state_at
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.comments import Comments, NewComment
from ovasabi.services.content.entity import Content, ReactionKind
from ovasabi.services.content.errors import ContentArchived, NestedTooDeep, OwnAncestor, ReplyElsewhere
from ovasabi.services.content.nesting import MAX_DEPTH
from ovasabi.services.content.reactions import Reactions, UserReaction
from ovasabi.services.content.service import Contents
from tests.integration.services.calls import call

LIKE, LOVE = ReactionKind.LIKE, ReactionKind.LOVE


async def new_users(registry: ServiceRegistry, count: int) -> list[int]:
    names = [f"c{uuid.uuid4().hex[:12]}" for _ in range(count)]
    drafts = [NewEntity({"username": name, "email": f"{name}@example.org"}) for name in names]
    with acting(system_context("test", PLATFORM)):
        return [user.id for user in await registry.named("user").create_many(drafts)]


async def counts(contents: Contents, id: int) -> tuple[int, int]:
    content = await contents.get(id)
    return content.comment_count, content.reaction_count


async def test_publishing_dates_it_and_only_a_draft_is_published(registry: ServiceRegistry, context: Context) -> None:
    contents = registry.service(Contents)
    with acting(context):
        draft = await contents.create({"title": "x"})
        published = await call(contents, "publish", draft.id)
        assert published.state == "published"
        assert draft.updated_at <= published.published_at <= published.updated_at
        with pytest.raises(MoveRefused):
            await call(contents, "publish", draft.id)
        assert (await call(contents, "unpublish", draft.id)).published_at is None
        assert (await call(contents, "archive", draft.id)).state == "archived"
        with pytest.raises(MoveRefused) as refused:
            await call(contents, "unpublish", draft.id)
        assert str(refused.value.hint).endswith("From archived you can: unarchive.")
        assert (await call(contents, "unarchive", draft.id)).state == "draft"


async def test_a_verb_at_another_version_is_refused(registry: ServiceRegistry, context: Context) -> None:
    contents = registry.service(Contents)
    with acting(context):
        draft = await contents.create({"title": "x"})
        await contents.update(draft.id, {"title": "y"})
        with pytest.raises(VersionConflict):
            await call(contents, "publish", draft.id, version=1)


async def test_comments_are_counted_by_every_way_that_they_come_and_go(
    registry: ServiceRegistry, context: Context
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        first = await call(contents, "comment", content.id, NewComment("first"))
        await comments.create({"content_id": content.id, "body": "second", "reply_to_id": first.id})
        assert await counts(contents, content.id) == (2, 0)
        await comments.delete(first.id)
        assert await counts(contents, content.id) == (1, 0)
        with pytest.raises(EntityNotFound):
            await comments.delete(first.id)
        await comments.restore(first.id)
        with pytest.raises(EntityNotFound):
            await comments.restore(first.id)
        assert await counts(contents, content.id) == (2, 0)
        now = await contents.get(content.id)
        assert await state_at(contents.database, Content, content.id, datetime.now(UTC)) == now


async def test_a_comment_repeated_under_one_key_at_once_is_there_and_counted_once(
    registry: ServiceRegistry, context: Context
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        values = {"content_id": content.id, "body": "once"}
        answers = await asyncio.gather(*(comments.create(values, key="once") for _ in range(12)))
        assert len({answer.id for answer in answers}) == 1
        assert await comments.create(values, key="once") == answers[0]
        with pytest.raises(KeyReused):
            await comments.create(values | {"body": "other"}, key="once")
        assert await counts(contents, content.id) == (1, 0)


async def test_comments_need_content_that_is_there_and_open(registry: ServiceRegistry, context: Context) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content, other = await contents.create({"title": "x"}), await contents.create({"title": "y"})
        comment = await call(contents, "comment", content.id, NewComment("first"))
        with pytest.raises(ReferenceMissing):
            await comments.create({"content_id": 1, "body": "nowhere"})
        with pytest.raises(ReferenceMissing):
            await call(contents, "comment", content.id, NewComment("to nobody", reply_to_id=content.id))
        with pytest.raises(ReplyElsewhere):
            await call(contents, "comment", other.id, NewComment("elsewhere", reply_to_id=comment.id))
        assert await counts(contents, other.id) == (0, 0)
        await call(contents, "archive", content.id)
        user = (await new_users(registry, 1))[0]
        with pytest.raises(ContentArchived):
            await comments.create({"content_id": content.id, "body": "too late"})
        with pytest.raises(ContentArchived):
            await call(contents, "react", content.id, UserReaction(user, LIKE))
        assert len((await comments.list(ListRequest(filter=f"content_id = {content.id}"))).items) == 1
        await comments.delete(comment.id)
        with pytest.raises(ContentArchived):
            await comments.restore(comment.id)
        assert await counts(contents, content.id) == (0, 0)


async def test_the_count_of_deleted_content_cannot_go_wrong(registry: ServiceRegistry, context: Context) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        comment = await call(contents, "comment", content.id, NewComment("first"))
        await contents.delete(content.id)
        with pytest.raises(ParentDeleted):
            await comments.delete(comment.id)
        await contents.restore(content.id)
        await comments.delete(comment.id)
        assert await counts(contents, content.id) == (0, 0)


async def test_fifty_reactions_at_once_and_each_twice_are_fifty(registry: ServiceRegistry, context: Context) -> None:
    contents, reactions = registry.service(Contents), registry.service(Reactions)
    users = await new_users(registry, 50)
    with acting(context):
        content = await contents.create({"title": "x"})
        wanted = [UserReaction(user, LIKE) for user in users for _ in range(2)]
        answers = await asyncio.gather(*(call(contents, "react", content.id, each) for each in wanted))
        assert len({answer.id for answer in answers}) == 50
        assert await counts(contents, content.id) == (0, 50)
        page = await reactions.list(ListRequest(filter=f"content_id = {content.id}", page_size=200))
        assert len(page.items) == 50
        back = [UserReaction(user, LIKE) for user in users[:20] for _ in range(2)]
        await asyncio.gather(*(call(contents, "unreact", content.id, each) for each in back))
        assert await counts(contents, content.id) == (0, 30)
        now = await contents.get(content.id)
        assert await state_at(contents.database, Content, content.id, datetime.now(UTC)) == now


async def test_each_kind_of_reaction_is_there_once_per_user(registry: ServiceRegistry, context: Context) -> None:
    contents, reactions = registry.service(Contents), registry.service(Reactions)
    (user,) = await new_users(registry, 1)
    with acting(context):
        content = await contents.create({"title": "x"})
        like = await call(contents, "react", content.id, UserReaction(user, LIKE))
        assert await call(contents, "react", content.id, UserReaction(user, LIKE)) == like
        await call(contents, "react", content.id, UserReaction(user, LOVE))
        with pytest.raises(KeyTaken):
            await reactions.create({"content_id": content.id, "user_id": user, "kind": LIKE})
        assert await counts(contents, content.id) == (0, 2)
        assert (await call(contents, "unreact", content.id, UserReaction(user, LIKE))).reaction_count == 1
        assert (await call(contents, "unreact", content.id, UserReaction(user, LIKE))).reaction_count == 1
        again = await call(contents, "react", content.id, UserReaction(user, LIKE))
        assert again.id != like.id
        with pytest.raises(KeyTaken):
            await reactions.restore(like.id)
        assert await counts(contents, content.id) == (0, 2)


async def test_content_cannot_belong_to_itself_however_long_the_way(
    registry: ServiceRegistry, context: Context
) -> None:
    contents = registry.service(Contents)
    with acting(context):
        top = await contents.create({"title": "top"})
        middle = await contents.create({"title": "middle", "parent_id": top.id})
        bottom = await contents.create({"title": "bottom", "parent_id": middle.id})
        for parent in (top.id, middle.id, bottom.id):
            with pytest.raises(OwnAncestor):
                await contents.update(top.id, {"parent_id": parent})
        assert (await contents.update(bottom.id, {"parent_id": top.id})).parent_id == top.id
        with pytest.raises(ReferenceMissing):
            await contents.update(bottom.id, {"parent_id": 1})


async def test_two_halves_of_a_ring_at_once_do_not_close_it(registry: ServiceRegistry, context: Context) -> None:
    contents = registry.service(Contents)
    with acting(context):
        one, two = await contents.create({"title": "1"}), await contents.create({"title": "2"})
        answers = await asyncio.gather(
            contents.update(one.id, {"parent_id": two.id}),
            contents.update(two.id, {"parent_id": one.id}),
            return_exceptions=True,
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Content", "OwnAncestor"]


async def test_a_restored_parent_does_not_close_a_ring_either(registry: ServiceRegistry, context: Context) -> None:
    contents = registry.service(Contents)
    with acting(context):
        top = await contents.create({"title": "top"})
        middle = await contents.create({"title": "middle", "parent_id": top.id})
        bottom = await contents.create({"title": "bottom", "parent_id": middle.id})
        await contents.delete(middle.id)
        await contents.update(top.id, {"parent_id": bottom.id})
        with pytest.raises(OwnAncestor):
            await contents.restore(middle.id)
        with pytest.raises(EntityNotFound):
            await contents.get(middle.id)
        await contents.update(top.id, {"parent_id": None})
        assert (await contents.restore(middle.id)).parent_id == top.id


async def test_nesting_is_followed_only_so_deep(registry: ServiceRegistry, context: Context) -> None:
    contents = registry.service(Contents)
    with acting(context):
        last = await contents.create({"title": "0"})
        for level in range(MAX_DEPTH):
            last = await contents.create({"title": str(level), "parent_id": last.id})
        with pytest.raises(NestedTooDeep):
            await contents.update((await contents.create({"title": "x"})).id, {"parent_id": last.id})


async def test_users_are_of_the_platform(registry: ServiceRegistry, context: Context) -> None:
    with acting(context), on_platform("users live there"):
        assert (await registry.named("user").list(ListRequest(page_size=1))).items
