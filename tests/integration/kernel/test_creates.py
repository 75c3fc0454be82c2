"""Creates are judged row by row, and the same request under a client's key is one row with one answer."""

import uuid
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import InvalidValue, KeyReused, KeyTaken, ReferenceMissing
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, kinds, make_campaign, together, within


def some_key() -> str:
    """A client's key that nobody used."""
    return uuid.uuid4().hex


async def counted(url: str, table: str, campaign: int) -> int:
    """How many rows of a campaign a table has, seen by a superuser."""
    async with admin(url) as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table} WHERE campaign_id = $1", campaign)


async def test_each_bad_row_is_refused_alone_with_its_own_error(
    database: Database, database_url: str, campaign: int
) -> None:
    other = await make_campaign(database)
    repository = contents(database)
    with within(other):
        foreign = await repository.create({"title": "of another campaign"})
    with within(campaign):
        await repository.create({"title": "first", "slug": "taken"}, key="used-key")
        rows: list[tuple[dict[str, Any], str | None, type]] = [
            ({"title": "good"}, None, Content),
            ({"title": "author is not there", "author_id": 1}, None, ReferenceMissing),
            ({"title": "slug is taken", "slug": "taken"}, None, KeyTaken),
            ({"title": "first of two", "slug": "twin"}, None, Content),
            ({"title": "second of two", "slug": "twin"}, None, KeyTaken),
            ({"title": "bad root", "metadata": {"nonsense": 1}}, None, InvalidValue),
            ({"title": "key with another body"}, "used-key", KeyReused),
            ({"title": "parent of another campaign", "parent_id": foreign.id}, None, ReferenceMissing),
            ({"title": "text with \0"}, None, InvalidValue),
            ({"title": "half a character \ud800"}, None, InvalidValue),
            ({"title": "beyond a bigint", "author_id": 2**63}, None, InvalidValue),
            ({"title": "x" * 301}, None, InvalidValue),
            ({"title": "first", "slug": "taken"}, "used-key", Content),
            ({"title": "keyed"}, "new-key", Content),
            ({"title": "keyed"}, "new-key", Content),
            ({"title": "good as well"}, None, Content),
        ]
        answers = await repository.create_many([NewEntity(values, key) for values, key, _ in rows])
        assert [type(answer) for answer in answers] == [wanted for _, _, wanted in rows]
        assert answers[13] == answers[14]
        assert [error.field for error in answers if isinstance(error, KeyTaken)] == ["slug", "slug"]
        for (values, _, _), answer in zip(rows, answers, strict=True):
            if isinstance(answer, Content):
                assert answer.title == values["title"]
                assert await repository.get(answer.id) == answer
    for table in ("master", "service_content_main", "service_event"):
        kept = await counted(database_url, table, campaign)
        assert kept == 5 + (table != "service_content_main"), f"{table}: five contents, and the campaign itself"


async def test_a_batch_of_one_bad_row_among_many_costs_only_that_row(database: Database, campaign: int) -> None:
    drafts = [NewEntity({"title": f"row {n}", "author_id": 2**63 if n == 137 else None}) for n in range(300)]
    with within(campaign):
        answers = await contents(database).create_many(drafts)
    assert kinds(answers) == {"Content": 299, "InvalidValue": 1}
    assert isinstance(answers[137], InvalidValue)
    titles = [answer.title for answer in answers if isinstance(answer, Content)]
    assert titles == [f"row {n}" for n in range(300) if n != 137]


async def test_a_batch_of_nothing_answers_nothing(database: Database, campaign: int) -> None:
    with within(campaign):
        assert await contents(database).create_many([]) == []


@pytest.mark.parametrize("title", [r"\u0000 is written so", r"\\u0000", "'); DROP TABLE master; --", "\x01", "🐘"])
async def test_text_comes_back_as_it_was_sent(database: Database, campaign: int, title: str) -> None:
    with within(campaign):
        made = await contents(database).create({"title": title, "body": title, "tags": [title]})
        got = await contents(database).get(made.id)
    assert (got.title, got.body, got.tags) == (title, title, [title])


async def test_a_hundred_concurrent_creates_with_one_key_make_one_row(
    database: Database, database_url: str, campaign: int
) -> None:
    key, before = some_key(), await counted(database_url, "master", campaign)
    with within(campaign):
        answers = await together(100, lambda _: contents(database).create({"title": "once", "slug": "once"}, key=key))
    assert kinds(answers) == {"Content": 100}
    assert len({answer.id for answer in answers}) == 1
    assert all(answer == answers[0] for answer in answers)
    assert await counted(database_url, "master", campaign) == before + 1
    assert await counted(database_url, "service_content_main", campaign) == 1
    assert await counted(database_url, "idempotency", campaign) == 1


async def test_a_repeated_request_has_the_first_answer_also_after_updates(database: Database, campaign: int) -> None:
    repository, key = contents(database), some_key()
    values = {"title": "first", "tags": ["a"], "metadata": {"service_specific": {"content": {"section": "news"}}}}
    with within(campaign):
        first = await repository.create(values, key=key)
        await repository.update(first.id, {"title": "second", "metadata": {"tags": ["x"]}})
        await repository.adjust(first.id, {"comment_count": 3}, verb="comment")
        assert await repository.create(values, key=key) == first
        await repository.delete(first.id)
        assert await repository.create(values, key=key) == first


async def test_the_first_answer_does_not_hold_an_update_of_the_same_millisecond(
    database: Database, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        for number in range(25):
            async with transaction(database):
                made = await repository.create({"title": "first"}, key=f"same-{number}")
                await repository.update(made.id, {"title": "second"})
            assert await repository.create({"title": "first"}, key=f"same-{number}") == made


@pytest.mark.parametrize(
    "values", [{"title": "b"}, {"title": "a", "body": "x"}, {"title": "a", "metadata": {"tags": []}}]
)
async def test_a_key_with_another_body_is_refused(database: Database, campaign: int, values: dict[str, Any]) -> None:
    repository, key = contents(database), some_key()
    with within(campaign):
        await repository.create({"title": "a"}, key=key)
        with pytest.raises(KeyReused):
            await repository.create(values, key=key)
        assert (await repository.create({"title": "a", "body": ""}, key=key)).title == "a"


async def test_concurrent_creates_of_one_key_and_two_bodies_make_one_row(database: Database, campaign: int) -> None:
    key = some_key()
    with within(campaign):
        answers = await together(20, lambda n: contents(database).create({"title": f"body {n % 2}"}, key=key))
    assert kinds(answers) == {"Content": 10, "KeyReused": 10}
    assert len({answer.id for answer in answers if isinstance(answer, Content)}) == 1


async def test_a_key_is_the_campaigns_own(database: Database, campaign: int) -> None:
    other, key, repository = await make_campaign(database), some_key(), contents(database)
    with within(campaign):
        mine = await repository.create({"title": "mine"}, key=key)
    with within(other):
        theirs = await repository.create({"title": "theirs"}, key=key)
    assert (mine.title, theirs.title) == ("mine", "theirs")


async def test_a_refused_create_does_not_use_its_key_up(database: Database, campaign: int) -> None:
    repository, key = contents(database), some_key()
    with within(campaign):
        with pytest.raises(OvasabiError):
            await repository.create({"title": "a", "author_id": 1}, key=key)
        assert (await repository.create({"title": "a"}, key=key)).title == "a"


async def test_a_create_in_a_transaction_that_is_rolled_back_leaves_nothing(
    database: Database, database_url: str, campaign: int
) -> None:
    key, before = some_key(), await counted(database_url, "service_event", campaign)
    with within(campaign):
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is the transaction)
            async with transaction(database):
                await contents(database).create({"title": "gone", "slug": "gone"}, key=key)
                raise ZeroDivisionError
        assert await counted(database_url, "service_event", campaign) == before
        assert (await contents(database).create({"title": "here", "slug": "gone"}, key=key)).title == "here"
