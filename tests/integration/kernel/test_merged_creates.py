"""Concurrent creates of many callers are few statements, and each caller's row, error and key is its own."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.errors import DatabaseUnavailable, OvasabiError
from ovasabi.kernel.call.errors import Contended, InvalidValue, KeyReused, KeyTaken, ReferenceMissing, RuleBroken
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import (
    admin,
    caught,
    contents,
    eventually,
    kinds,
    make_campaign,
    together,
    within,
)
from tests.integration.kernel.merging_fixtures import called, caller, counted, impatient, written


@pytest_asyncio.fixture
async def campaigns(database: Database) -> list[int]:
    """Three campaigns of the test's own."""
    return [await make_campaign(database) for _ in range(3)]


async def test_64_creates_of_three_campaigns_are_one_statement_and_each_row_is_its_callers(
    database_url: str, campaigns: list[int]
) -> None:
    async with counted(database_url) as (database, sent):
        repository = contents(database)
        await called(caller(campaigns[0], 99), lambda: repository.create({"title": "warm"}))
        sent.clear()
        callers = [caller(campaigns[n % 3], n) for n in range(64)]
        made = await asyncio.gather(
            *(called(c, lambda n=n: repository.create({"title": f"of {n}"})) for n, c in enumerate(callers))
        )
        await asyncio.sleep(0)
        assert len(sent) == 1, [text[:60] for text in sent]
    assert kinds(made) == {"Content": 64}
    assert [(of.title, of.campaign_id) for of in made] == [(f"of {n}", campaigns[n % 3]) for n in range(64)]
    found = {}
    for campaign in campaigns:
        found |= dict.fromkeys(await written(database_url, campaign), campaign)
    assert {of.id: of.campaign_id for of in made}.items() <= found.items()
    async with admin(database_url) as connection:
        for n, content in enumerate(made):
            (event,) = await connection.fetch("SELECT * FROM service_event WHERE master_id = $1", content.id)
            said = (event["actor"], event["correlation_id"], event["causation_id"], event["campaign_id"])
            assert said == (f"key:{n}", f"correlation-{n}", 1000 + n, campaigns[n % 3])
            row = await connection.fetchrow("SELECT * FROM master WHERE id = $1", content.id)
            assert (row["campaign_id"], row["name"], row["uuid"]) == (content.campaign_id, f"of {n}", content.uuid)


async def test_creates_that_come_while_others_are_under_way_go_together(database_url: str, campaign: int) -> None:
    async with counted(database_url) as (database, sent):
        repository = contents(database)
        with within(campaign):
            await repository.create({"title": "warm"})
            sent.clear()
            creating = []
            for n in range(60):  # each in a moment of its own
                creating.append(asyncio.ensure_future(repository.create({"title": f"{n}"})))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert kinds(await asyncio.gather(*creating)) == {"Content": 60}
        await asyncio.sleep(0)
        assert 2 <= len(sent) <= 10
    assert len(await written(database_url, campaign)) == 61


async def test_one_key_sent_many_times_at_once_is_one_row_and_one_answer(
    database: Database, database_url: str, campaigns: list[int]
) -> None:
    repository = contents(database)
    for campaign in campaigns[:2]:  # the same key in two campaigns is two keys
        with within(campaign):
            answers = await together(20, lambda _: repository.create({"title": "once"}, key="the key"))
        assert kinds(answers) == {"Content": 20}
        assert all(answer == answers[0] for answer in answers)
        assert await written(database_url, campaign) == {answers[0].id: "once"}


async def test_creates_with_and_without_keys_go_together(
    database: Database, database_url: str, campaigns: list[int]
) -> None:
    repository = contents(database)

    def key(n: int) -> str | None:
        return None if n % 3 == 0 else f"key {n // 6}"

    callers = [caller(campaigns[n % 2], n) for n in range(60)]
    titles = [f"{n}" if key(n) is None else str(key(n)) for n in range(60)]
    made = await asyncio.gather(
        *(called(c, lambda n=n: repository.create({"title": titles[n]}, key=key(n))) for n, c in enumerate(callers))
    )
    assert kinds(made) == {"Content": 60}
    for place, campaign in enumerate(campaigns[:2]):
        own = [of for n, of in enumerate(made) if n % 2 == place]
        assert [of.title for of in own] == titles[place::2]
        # ten without a key, and one for each of the ten keys
        assert await written(database_url, campaign) == {of.id: of.title for of in own}
        assert len({of.id for of in own}) == 20


async def test_each_bad_row_has_its_own_error_and_its_neighbours_are_written(
    database: Database, database_url: str, campaigns: list[int]
) -> None:
    repository, (home, other, _) = contents(database), campaigns
    with within(other):
        foreign = await repository.create({"title": "foreign", "slug": "held"})
    with within(home):
        await repository.create({"title": "holder", "slug": "held"})
        await repository.create({"title": "first"}, key="used")
    calls: list[tuple[int, dict[str, Any], str | None, type[Exception] | None]] = [
        (home, {"title": "good 0"}, None, None),
        (home, {"title": "bad", "author_id": 1}, None, ReferenceMissing),
        (home, {"title": "bad", "parent_id": foreign.id}, "k1", ReferenceMissing),
        (other, {"title": "good 1", "parent_id": foreign.id}, None, None),
        (home, {"title": "bad", "slug": "held"}, None, KeyTaken),
        (home, {"title": "good 2"}, "k2", None),
        (home, {"title": "bad", "comment_count": -1}, None, RuleBroken),
        (home, {"title": "bad", "author_id": 2**63}, "k3", InvalidValue),
        (other, {"title": "bad", "tags": "no list"}, None, InvalidValue),
        (other, {"title": "good 3"}, None, None),
        (home, {"title": "second"}, "used", KeyReused),
        (other, {"title": "good 4"}, "used", None),
        (home, {"title": None}, None, RuleBroken),
        (home, {"title": "bad"}, "a\0b", InvalidValue),
        (home, {"title": "good 5", "slug": "free"}, None, None),
    ]
    answers = await asyncio.gather(
        *(
            called(caller(campaign, n), lambda values=values, key=key: repository.create(values, key=key))
            for n, (campaign, values, key, _) in enumerate(calls)
        )
    )
    assert [type(answer) for answer in answers] == [wanted or Content for *_, wanted in calls]
    assert [getattr(answer, "field", None) for answer in answers if isinstance(answer, OvasabiError)] == [
        "author_id", "parent_id", "slug", "comment_count", None, None, "Idempotency-Key", "title", None,
    ]  # fmt: skip
    assert set((await written(database_url, home)).values()) == {"holder", "first", "good 0", "good 2", "good 5"}
    assert set((await written(database_url, other)).values()) == {"foreign", "good 1", "good 3", "good 4"}


async def test_of_two_who_want_one_natural_key_at_once_one_gets_it(
    database: Database, database_url: str, campaigns: list[int]
) -> None:
    repository = contents(database)
    drafts = [{"title": f"{n}", "slug": f"s{n // 6}"} for n in range(24)]
    callers = [caller(campaigns[n % 2], n) for n in range(24)]
    answers = await asyncio.gather(
        *(called(c, lambda n=n: repository.create(drafts[n])) for n, c in enumerate(callers))
    )
    assert kinds(answers) == {"Content": 8, "KeyTaken": 16}
    for campaign in campaigns[:2]:
        own = [of for of in answers if getattr(of, "campaign_id", None) == campaign]
        assert sorted(of.slug for of in own) == ["s0", "s1", "s2", "s3"]
        assert set(await written(database_url, campaign)) == {of.id for of in own}


async def test_a_create_that_waits_for_anothers_lock_in_vain_fails_alone(database_url: str, campaign: int) -> None:
    async with impatient(database_url) as database, admin(database_url) as connection:
        repository = contents(database)
        with within(campaign):
            warm = await repository.create({"title": "warm"})
            async with connection.transaction():
                await connection.execute(
                    "INSERT INTO master_key (campaign_id, type, field, value, master_id)"
                    " VALUES ($1, 'content', 'slug', 'held', $2)",
                    campaign,
                    warm.id,
                )
                slugs = ["a", "held", "b", "c"]
                answers = await together(4, lambda n: repository.create({"title": slugs[n], "slug": slugs[n]}))
                await connection.execute("DELETE FROM master_key WHERE campaign_id = $1 AND value = 'held'", campaign)
    assert [type(answer) for answer in answers] == [Content, Contended, Content, Content]
    assert set((await written(database_url, campaign)).values()) == {"warm", "a", "b", "c"}


async def test_a_create_that_was_cancelled_and_is_sent_again_with_its_key_is_one_row(
    database: Database, database_url: str, campaign: int
) -> None:
    repository = contents(database)
    lost = kept = 0
    with within(campaign):
        await repository.create({"title": "warm"}, key="warm")
        for n in range(72):
            names = [f"{n} {m}" for m in range(n % 3 + 1)]
            creating = [asyncio.ensure_future(repository.create({"title": name}, key=name)) for name in names]
            await asyncio.sleep(n // 6 * 0.0004)
            for one in creating[:1] if n % 2 else creating:  # one of the statement's callers, or all
                one.cancel()
            first = await asyncio.gather(*creating, return_exceptions=True)
            there = set((await written(database_url, campaign)).values())
            lost += isinstance(first[0], asyncio.CancelledError) and names[0] not in there
            kept += names[0] in there
            again = await asyncio.gather(*(repository.create({"title": name}, key=name) for name in names))
            for one, same in zip(first, again, strict=True):
                assert one == same or isinstance(one, asyncio.CancelledError)
            found = await written(database_url, campaign)
            assert {of.id: of.title for of in again} == {id: t for id, t in found.items() if t.startswith(f"{n} ")}
    assert lost > 3, "some were cancelled before the commit"
    assert kept > 3, "and some after"


@pytest.mark.parametrize("round_", range(3))
async def test_a_connection_that_is_ended_under_a_statement_leaves_keyed_creates_done_once(
    database: Database, database_url: str, campaigns: list[int], round_: int
) -> None:
    repository = contents(database)
    keys = [f"key {n}" if n % 2 else None for n in range(40)]

    async def blocked() -> bool:
        query = """SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ovasabi'
                   AND datname = current_database() AND wait_event_type = 'Lock'"""
        return await connection.fetchval(query) > 0

    async with admin(database_url) as connection, admin(database_url) as locking:
        async with locking.transaction():
            await locking.execute("LOCK TABLE service_event IN EXCLUSIVE MODE")
            creating = []
            for n in range(40):
                call = repository.create
                at = called(caller(campaigns[n % 3], n), lambda n=n, call=call: call({"title": f"{n}"}, key=keys[n]))
                creating.append(asyncio.ensure_future(at))
                await asyncio.sleep(0.001 * round_)  # in one statement, or in several
            await eventually(blocked)
            ended = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ovasabi'"
                " AND datname = current_database() AND wait_event_type = 'Lock'"
            )
        answers = await asyncio.wait_for(asyncio.gather(*creating), 30)
    assert ended > 0
    assert {type(answer) for n, answer in enumerate(answers) if keys[n]} == {Content}
    assert {type(answer) for n, answer in enumerate(answers) if not keys[n]} <= {Content, DatabaseUnavailable}
    assert any(isinstance(answer, DatabaseUnavailable) for answer in answers)
    for place, campaign in enumerate(campaigns):
        there = await written(database_url, campaign)
        own = {n: answer for n, answer in enumerate(answers) if n % 3 == place}
        assert {of.id: of.title for of in own.values() if isinstance(of, Content)}.items() <= there.items()
        keyed = [title for title in there.values() if keys[int(title)]]
        assert sorted(keyed) == sorted(f"{n}" for n in own if keys[n])
        with within(campaign):
            again = [await caught(repository.create({"title": f"{n}"}, key=keys[n])) for n in own if keys[n]]
        assert again == [own[n] for n in own if keys[n]]
