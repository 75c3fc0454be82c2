"""Concurrent changes and reads of many callers are few statements; each proves its campaign and has its own answer."""

import asyncio
from typing import Any

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.errors import (
    Contended,
    EntityNotFound,
    InvalidValue,
    KeyTaken,
    ReferenceMissing,
    VersionConflict,
)
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, kinds, make_campaign, together, within
from tests.integration.kernel.merging_fixtures import called, caller, counted, events_of, impatient, some

pytestmark = pytest.mark.usefixtures("database")  # it made the months


async def each(repository: Repository[Content], made: list[Content], verb: str, *values: Any) -> list[Any]:
    """One call for each entity, all at once, each of a caller of its own."""
    calls = [
        called(caller(of.campaign_id, n), lambda of=of: getattr(repository, verb)(of.id, *values))
        for n, of in enumerate(made)
    ]
    return list(await asyncio.gather(*calls))


async def test_changes_of_different_entities_are_few_statements_and_each_is_its_callers(database_url: str) -> None:
    async with counted(database_url) as (database, sent):
        campaigns = [await make_campaign(database) for _ in range(3)]
        made, repository = await some(database, campaigns, 48), contents(database)
        for verb, values, version in (
            ("update", [{"body": "changed"}], 2),
            ("delete", [], 3),
            ("restore", [], 4),
        ):
            await each(repository, made[:1], verb, *values)  # the driver asks for the types that it meets
            sent.clear()
            answers = await each(repository, made[1:], verb, *values)
            await asyncio.sleep(0)
            assert len(sent) <= 2, f"{verb}: {len(sent)} statements"
            assert [(of.id, of.campaign_id, of.version) for of in answers] == [
                (of.id, of.campaign_id, version) for of in made[1:]
            ]
        sent.clear()

        def count(of: Content) -> Any:
            return repository.adjust(of.id, {"comment_count": 3}, verb="count")

        answers = await asyncio.gather(*(called(caller(of.campaign_id, 0), lambda of=of: count(of)) for of in made))
        assert [of.comment_count for of in answers] == [3] * 48
        await asyncio.sleep(0)
        assert len(sent) <= 3, "one of them may be the driver's question for types"
    for n, content in enumerate(made[1:]):
        events = await events_of(database_url, content.id)
        assert [event["event_type"].split(":")[1] for event in events] == [
            "create", "update", "delete", "restore", "count",
        ]  # fmt: skip
        assert [event["version"] for event in events] == [1, 2, 3, 4, None]
        assert {event["campaign_id"] for event in events} == {content.campaign_id}
        said = {(event["actor"], event["correlation_id"]) for event in events[1:4]}
        assert said == {(f"key:{n}", f"correlation-{n}")}


async def test_changes_of_one_entity_all_apply_in_order_of_version(
    database: Database, database_url: str, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})

        async def change(n: int) -> Content:
            if n % 5 == 4:
                return await repository.adjust(made.id, {"comment_count": 1}, verb="count")
            metadata = {"service_specific": {f"p{n}": {"n": n}}}
            return await repository.update(made.id, {"title": f"title {n}", "metadata": metadata})

        answers = await together(50, change)
        assert kinds(answers) == {"Content": 50}
        now = await repository.get(made.id)
    updates = [answer for n, answer in enumerate(answers) if n % 5 != 4]
    assert [answer.version for answer in updates] == list(range(2, 42)), "in the order in which they were asked for"
    assert (now.version, now.title, now.comment_count) == (41, updates[-1].title, 10)
    assert set(now.metadata["service_specific"]) == {f"p{n}" for n in range(50) if n % 5 != 4}
    events = await events_of(database_url, made.id)
    assert [event["version"] for event in events if event["version"]] == list(range(1, 42))
    assert len(events) == 51


async def test_a_wrong_version_among_many_changes_fails_alone(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        expected = {7: 8, 20: 3, 30: 99}  # the seventh call finds version 8, if those before it were made
        answers = await together(
            40, lambda n: repository.update(made.id, {"title": f"{n}"}, expected_version=expected.get(n))
        )
        assert [n for n, answer in enumerate(answers) if isinstance(answer, VersionConflict)] == [20, 30]
        assert kinds(answers) == {"Content": 38, "VersionConflict": 2}
        assert (await repository.get(made.id)).version == 39


async def test_each_bad_change_has_its_own_error_and_its_neighbours_are_made(
    database: Database, database_url: str
) -> None:
    home, other = [await make_campaign(database) for _ in range(2)]
    made, repository = await some(database, [home, other], 16), contents(database)
    with within(home):
        await repository.create({"title": "holder", "slug": "held"})
    calls: list[tuple[int, int, dict[str, Any], int | None, type[Exception] | None]] = [
        (home, made[0].id, {"body": "good"}, None, None),
        (home, made[1].id, {"body": "stolen"}, None, EntityNotFound),
        (home, made[2].id, {"slug": "held"}, None, KeyTaken),
        (other, made[3].id, {"slug": "held"}, None, None),
        (home, made[4].id, {"author_id": 1}, None, ReferenceMissing),
        (home, made[6].id, {"parent_id": made[5].id}, None, ReferenceMissing),
        (other, made[5].id, {"parent_id": made[7].id}, None, None),
        (home, made[8].id, {"author_id": 2**63}, None, InvalidValue),
        (other, made[9].id, {"body": "bad"}, 5, VersionConflict),
        (other, made[9].id + 1, {"body": "bad"}, None, EntityNotFound),
        (other, 2**60, {"body": "bad"}, None, EntityNotFound),
        (home, made[10].id, {"body": "bad"}, 2**40, InvalidValue),
        (home, made[12].id, {"body": "good"}, 1, None),
        (other, made[11].id, {"slug": "twin"}, None, None),
        (other, made[13].id, {"slug": "twin"}, None, KeyTaken),
        (home, made[14].id, {"slug": "twin"}, None, None),
    ]
    answers = await asyncio.gather(
        *(
            called(caller(c, n), lambda id=id, values=values, v=v: repository.update(id, values, expected_version=v))
            for n, (c, id, values, v, _) in enumerate(calls)
        )
    )
    assert [type(answer) for answer in answers] == [wanted or Content for *_, wanted in calls]
    good = {id for _, id, _, _, wanted in calls if wanted is None}
    for of in made:
        versions = [event["version"] for event in await events_of(database_url, of.id)]
        assert versions == ([1, 2] if of.id in good else [1])
    with within(other):
        assert (await repository.get(made[1].id)).body == ""


async def test_a_change_that_waits_for_anothers_lock_in_vain_fails_alone(database_url: str) -> None:
    async with impatient(database_url) as database, admin(database_url) as connection:
        campaigns = [await make_campaign(database) for _ in range(2)]
        made, repository = await some(database, campaigns, 6), contents(database)
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made[2].id)
            answers = await each(repository, made, "update", {"body": "changed"})
        assert [type(answer) for answer in answers] == [Content] * 2 + [Contended] + [Content] * 3
    assert [len(await events_of(database_url, of.id)) for of in made] == [2, 2, 1, 2, 2, 2]


async def test_of_many_deletes_and_restores_at_once_one_of_each_finds_its_entity(
    database: Database, database_url: str
) -> None:
    campaigns = [await make_campaign(database) for _ in range(2)]
    made, repository = await some(database, campaigns, 4), contents(database)
    for verb, version in (("delete", 2), ("restore", 3)):
        answers = await each(repository, made * 5, verb)
        for place, of in enumerate(made):
            assert kinds(answers[place::4]) == {"Content": 1, "EntityNotFound": 4}
            (done,) = (answer for answer in answers[place::4] if isinstance(answer, Content))
            assert (done.id, done.version, done.title) == (of.id, version, of.title)
    assert [len(await events_of(database_url, of.id)) for of in made] == [3] * 4


async def test_reads_of_the_same_moment_are_one_statement_and_each_sees_its_own_campaign(
    database_url: str,
) -> None:
    async with counted(database_url) as (database, sent):
        campaigns = [await make_campaign(database) for _ in range(4)]
        made, repository = await some(database, campaigns, 40), contents(database)
        gone = made[:4]
        await each(repository, gone, "delete")
        reads: list[tuple[int, int, bool]] = []
        for n, of in enumerate(made):
            stranger = campaigns[(n + 1) % 4]
            reads += [(of.campaign_id, of.id, of not in gone), (stranger, of.id, False)]
        reads += [(campaigns[0], made[4].id + 1, False), (0, made[4].id, False), (campaigns[0], made[4].id, True)]
        await called(caller(campaigns[0], 0), lambda: repository.get(made[4].id))
        sent.clear()
        answers = await asyncio.gather(
            *(
                called(caller(campaign, n), lambda id=id: repository.get(id))
                for n, (campaign, id, _) in enumerate(reads)
            )
        )
        await asyncio.sleep(0)
        assert len(sent) == 1
        by_id = {of.id: of for of in made}
        for answer, (_, id, there) in zip(answers, reads, strict=True):
            assert answer == by_id[id] if there else isinstance(answer, EntityNotFound)
        sent.clear()
        by_uuid = [msgspec.structs.replace(of, id=str(of.uuid)) for of in made[4:8]]
        assert await each(repository, by_uuid, "get") == made[4:8]
        await asyncio.sleep(0)
        assert len(sent) == 1
