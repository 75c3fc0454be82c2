"""Counted references: a child and its count are one statement, right whoever else writes, alone or in a batch."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Context, acting
from ovasabi.kernel.call.errors import Contended, KeyReused, KeyTaken, ReferenceMissing
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.declare.counters import ParentDeleted
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.comments import Comments
from ovasabi.services.content.entity import Comment, Content, ReactionKind
from ovasabi.services.content.errors import ContentArchived, ReplyElsewhere
from ovasabi.services.content.reactions import Reactions, UserReaction
from ovasabi.services.content.service import Contents
from ovasabi.services.product.service import Products, Variants
from tests.conftest import eventually, new_campaign
from tests.integration.kernel.merging_fixtures import caller
from tests.integration.services.calls import call
from tests.integration.services.test_content import new_users


@pytest.fixture
def written(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The writing statements that are sent by themselves."""
    sent: list[str] = []
    write = database.write

    async def noted(sql: str, *arguments: Any, **options: Any) -> Any:
        sent.append(sql)
        return await write(sql, *arguments, **options)

    monkeypatch.setattr(database, "write", noted)
    return sent


async def counted_events(database: Database, content: Content, count: int) -> list[Event]:
    """The events of the counts of some content, once there are so many."""
    found: list[Event] = []

    async def there() -> bool:
        types = ["content:count_comments:v1:success"]
        found[:] = await read_events(database, entity_id=content.id, types=types)
        return len(found) >= count

    await eventually(there)
    return found


async def test_a_comment_and_its_count_are_one_statement(
    registry: ServiceRegistry, context: Context, written: list[str]
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        written.clear()
        comment = await comments.create({"content_id": content.id, "body": "one"})
        assert len(written) == 1
        assert await comments.get(comment.id) == comment
        assert (await contents.get(content.id)).comment_count == 1


async def test_comments_of_many_at_once_are_few_statements_and_each_is_told_by_whom(
    registry: ServiceRegistry, database: Database, campaign: int, written: list[str]
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)

    async def comment(number: int, content: Content) -> Comment:
        with acting(caller(campaign, number)):
            return await comments.create({"content_id": content.id, "body": str(number)})

    with acting(caller(campaign, 0)):
        several = [await contents.create({"title": "x"}) for _ in range(3)]
        written.clear()
        made = await asyncio.gather(*(comment(number, several[number % 3]) for number in range(60)))
        assert len(written) <= 6
        assert len({one.id for one in made}) == 60
        for content in several:
            assert (await contents.get(content.id)).comment_count == 20
            events = await counted_events(database, content, 20)
            assert [event.payload["comment_count"] for event in events] == list(range(1, 21))
            by = {int(one.body): one for one in made if one.content_id == content.id}
            assert {event.actor for event in events} == {f"key:{number}" for number in by}
            assert {event.correlation_id for event in events} == {f"correlation-{number}" for number in by}


async def test_comments_of_several_campaigns_share_statements_and_are_counted_apart(
    registry: ServiceRegistry, campaign: int, written: list[str]
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    places: list[tuple[int, Content]] = []
    for number in [campaign, *[await new_campaign(registry) for _ in range(3)]]:
        with acting(caller(number, 0)):
            places.append((number, await contents.create({"title": "x"})))

    async def comment(campaign: int, content: Content) -> Any:
        with acting(caller(campaign, 1)):
            return await comments.create({"content_id": content.id, "body": "x"})

    written.clear()
    await asyncio.gather(*(comment(*place) for place in places for _ in range(10)))
    assert len(written) <= 5
    stolen = await asyncio.gather(
        *(comment(places[0][0], content) for _, content in places[1:]), return_exceptions=True
    )
    assert {type(answer) for answer in stolen} == {ReferenceMissing}
    for number, content in places:
        with acting(caller(number, 0)):
            assert (await contents.get(content.id)).comment_count == 10


async def test_who_names_a_parent_of_another_campaign_counts_nothing_there_even_in_one_statement(
    registry: ServiceRegistry, context: Context, written: list[str]
) -> None:
    other = await new_campaign(registry)
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
    written.clear()
    drafts = [{"content_id": content.id, "body": f"{number}"} for number in range(8)]
    callers = [context if number % 2 else caller(other, number) for number in range(8)]
    answers = await asyncio.gather(
        *(_commented(comments, who, draft) for who, draft in zip(callers, drafts, strict=True)), return_exceptions=True
    )
    assert len(written) < 8
    kinds = [type(answer) for answer in answers]
    assert kinds == [ReferenceMissing, Comment] * 4
    with acting(context):
        assert (await contents.get(content.id)).comment_count == 4


async def _commented(comments: Comments, who: Context, draft: dict[str, Any]) -> Comment:
    with acting(who):
        return await comments.create(draft)


async def test_a_batch_is_one_statement_in_which_each_row_is_judged_by_itself(
    registry: ServiceRegistry, context: Context, written: list[str]
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        one, two, archived, deleted = [await contents.create({"title": "x"}) for _ in range(4)]
        first = await comments.create({"content_id": one.id, "body": "first"})
        await call(contents, "archive", archived.id)
        await contents.delete(deleted.id)
        places = [one, two, archived, deleted, one, two]
        drafts = [NewEntity({"content_id": place.id, "body": f"{n}"}) for n, place in enumerate(places)]
        drafts += [
            NewEntity({"content_id": two.id, "body": "elsewhere", "reply_to_id": first.id}),
            NewEntity({"content_id": one.id, "body": "reply", "reply_to_id": first.id}),
            NewEntity({"content_id": two.id, "body": "nobody", "reply_to_id": two.id}),
        ]
        written.clear()
        answers = await comments.create_many(drafts)
        assert len(written) == 1
        expected = [Comment, Comment, ContentArchived, ReferenceMissing, Comment, Comment]
        assert [type(answer) for answer in answers] == [*expected, ReplyElsewhere, Comment, ReferenceMissing]
        counts = [(await contents.get(content.id)).comment_count for content in (one, two, archived)]
        assert counts == [4, 2, 0]


async def test_the_replies_of_a_batch_are_looked_up_together(
    registry: ServiceRegistry, database: Database, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        draft = {"content_id": content.id, "body": "x"}
        answered = [await comments.create(draft) for _ in range(5)]
        asked, read = [], database.read

        async def noted(sql: str, *arguments: Any, **options: Any) -> Any:
            asked.append(sql)
            return await read(sql, *arguments, **options)

        monkeypatch.setattr(database, "read", noted)
        replies = [NewEntity(draft | {"reply_to_id": answered[number % 5].id}) for number in range(20)]
        assert all(isinstance(answer, Comment) for answer in await comments.create_many(replies))
        assert len(asked) == 1


async def test_a_batch_repeated_under_its_keys_is_counted_once(registry: ServiceRegistry, context: Context) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        drafts = [NewEntity({"content_id": content.id, "body": f"{n}"}, key=f"k{n % 4}") for n in range(4)]
        batches = await asyncio.gather(*(comments.create_many(drafts) for _ in range(6)))
        assert [batch for batch in batches if batch != batches[0]] == []
        other = NewEntity({"content_id": content.id, "body": "other"}, key="k0")
        (refused,) = await comments.create_many([other])
        assert isinstance(refused, KeyReused)
        assert (await contents.get(content.id)).comment_count == 4


async def test_who_archives_while_others_comment_finds_as_many_as_are_counted(
    registry: ServiceRegistry, context: Context
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        for _ in range(5):
            content = await contents.create({"title": "x"})
            draft = {"content_id": content.id, "body": "x"}
            answers = await asyncio.gather(
                *(comments.create(draft) for _ in range(10)),
                call(contents, "archive", content.id),
                *(comments.create(draft) for _ in range(10)),
                return_exceptions=True,
            )
            kinds = Counter(type(answer) for answer in answers)
            assert kinds[Content] == 1
            assert kinds[Comment] + kinds[ContentArchived] == 20
            now = await contents.get(content.id)
            page = await comments.list(ListRequest(filter=f"content_id = {content.id}", include_total=True))
            assert now.comment_count == page.total_size == kinds[Comment]
            with pytest.raises(ContentArchived):
                await comments.create(draft)


async def test_a_parent_that_is_deleted_meanwhile_takes_no_child(registry: ServiceRegistry, context: Context) -> None:
    products, variants = registry.service(Products), registry.service(Variants)
    with acting(context):
        for number in range(5):
            product = await products.create({"name": "x"})
            values = {"product_id": product.id, "name": "x", "price": Decimal(1), "currency": "EUR"}
            drafts = [NewEntity(values | {"sku": f"{product.id}-{n}"}) for n in range(3)]
            answers, deleted = await asyncio.gather(
                variants.create_many(drafts), products.delete(product.id), return_exceptions=True
            )
            refused = {type(answer) for answer in answers if isinstance(answer, Exception)}
            assert refused in (set(), {ReferenceMissing}), number
            assert bool(refused) != isinstance(deleted, Exception)


async def test_creates_beside_a_parent_that_is_deleted_and_restored_are_counted_or_refused_as_references(
    registry: ServiceRegistry, context: Context
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        draft = {"content_id": content.id, "body": "x"}
        ended = asyncio.Event()

        async def toggle() -> None:
            while not ended.is_set():
                await contents.delete(content.id)
                await contents.restore(content.id)

        toggling = asyncio.create_task(toggle())
        answers: list[Any] = []
        for _ in range(15):
            answers += await asyncio.gather(*(comments.create(draft) for _ in range(19)), return_exceptions=True)
            answers += await comments.create_many([NewEntity(draft)])
        ended.set()
        await toggling
        kinds = Counter(type(answer) for answer in answers)
        assert set(kinds) <= {Comment, ReferenceMissing}, kinds
        assert kinds[Comment] > 0
        assert kinds[ReferenceMissing] > 0
        assert {answer.field for answer in answers if isinstance(answer, ReferenceMissing)} == {"content_id"}
        assert (await contents.get(content.id)).comment_count == kinds[Comment]


async def test_what_is_undone_with_its_transaction_is_not_counted(
    registry: ServiceRegistry, database: Database, context: Context
) -> None:
    contents, comments = registry.service(Contents), registry.service(Comments)
    with acting(context):
        content = await contents.create({"title": "x"})
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is the transaction)
            async with transaction(database):
                await comments.create({"content_id": content.id, "body": "one"})
                assert (await contents.get(content.id)).comment_count == 1
                raise ZeroDivisionError
        assert (await contents.get(content.id)).comment_count == 0
        comment = await comments.create({"content_id": content.id, "body": "two"})
        await contents.delete(content.id)
        with pytest.raises(ParentDeleted) as refused:
            await comments.delete(comment.id)
        assert refused.value.field == "content_id"
        assert (await comments.get(comment.id)).version == 1, "the delete is undone with its count"


async def test_restores_and_creates_of_one_natural_key_at_once_leave_one_counted(
    registry: ServiceRegistry, context: Context
) -> None:
    contents, reactions = registry.service(Contents), registry.service(Reactions)
    (user,) = await new_users(registry, 1)
    with acting(context):
        content = await contents.create({"title": "x"})
        wanted = UserReaction(user, ReactionKind.LIKE)
        values = {"content_id": content.id, "user_id": user, "kind": ReactionKind.LIKE}
        for _ in range(6):
            gone = await reactions.create(values)
            await reactions.delete(gone.id)
            answers = await asyncio.gather(
                reactions.restore(gone.id), *(reactions.create(values) for _ in range(3)), return_exceptions=True
            )
            refused = [type(answer) for answer in answers if isinstance(answer, Exception)]
            assert len(refused) == 3
            assert set(refused) <= {KeyTaken, Contended}
            assert (await contents.get(content.id)).reaction_count == 1
            await reactions.remove(content, wanted)
            assert (await contents.get(content.id)).reaction_count == 0


async def test_a_number_that_is_no_id_is_refused_as_a_reference(registry: ServiceRegistry, context: Context) -> None:
    comments = registry.service(Comments)
    with acting(context):
        for id in (1, 17, (1 << 53) - 1):
            with pytest.raises(ReferenceMissing) as refused:
                await comments.create({"content_id": id, "body": "x"})
            assert refused.value.field == "content_id"
