"""No call for one campaign ever returns or changes a row of another, whatever came before it on the same connection."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import acting, system_context
from ovasabi.kernel.call.errors import EntityNotFound, KeyTaken
from ovasabi.kernel.call.locks import acquire, locked, locked_entity
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.events.log import follow, read_events
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.search.registry import EntityRegistry
from ovasabi.kernel.store.history import state_at
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.store.rows import Change, NewEntity
from ovasabi.services.content.entity import Comment, Content
from tests.integration.kernel.fixtures import (
    CAMPAIGN_TABLES,
    PROPERTY,
    admin,
    caught,
    contents,
    make_campaign,
    pools,
    within,
)
from tests.integration.kernel.merging_fixtures import counted

WORDS = ["alpha", "beta", "gamma", "delta"]

Op = Callable[[Database, int, int], Awaitable[Any]]


def ops() -> dict[str, Op]:
    """What may be called, each with an id that may be another campaign's, and a number that varies it."""

    async def broken(db: Database, id: int, n: int) -> None:
        async with transaction(db):
            await contents(db).create({"title": WORDS[n]})
            await caught(contents(db).update(id, {"title": "never"}))
            raise ZeroDivisionError

    async def under_lock(db: Database, id: int, n: int) -> Any:
        async with locked_entity(db, id), locked(db, WORDS[n]):
            return await caught(contents(db).update(id, {"body": "under a lock"}))

    async def fenced(db: Database, id: int, n: int) -> Any:
        return await acquire(db, f"{WORDS[n]}-{uuid.uuid4().hex}", 5)

    return {
        "create": lambda db, id, n: contents(db).create({"title": f"{WORDS[n]} words", "slug": f"{WORDS[n]}-{id % 3}"}),
        "create keyed": lambda db, id, n: contents(db).create({"title": WORDS[n]}, key=WORDS[n]),
        "create below": lambda db, id, n: contents(db).create({"title": "child", "parent_id": id}),
        "create counted": lambda db, id, n: Repository(db, Comment).create({"content_id": id, "body": WORDS[n]}),
        "create many": lambda db, id, n: contents(db).create_many(
            [
                NewEntity({"title": "a", "parent_id": id}),
                NewEntity({"title": "b"}),
                NewEntity({"title": "c", "author_id": 2**63}),
            ]
        ),
        "get": lambda db, id, n: contents(db).get(id),
        "get many": lambda db, id, n: contents(db).get_many([id, id + 1]),
        "update": lambda db, id, n: contents(db).update(id, {"title": "stolen", "slug": f"{WORDS[n]}-9"}),
        "update many": lambda db, id, n: contents(db).update_many(
            [Change(id, {"body": "x"}), Change(id + 1, {"body": "x"})]
        ),
        "adjust": lambda db, id, n: contents(db).adjust(id, {"comment_count": n}, verb="count"),
        "delete": lambda db, id, n: contents(db).delete(id),
        "restore": lambda db, id, n: contents(db).restore(id),
        "list": lambda db, id, n: list_page(contents(db), ListRequest(include_total=True)),
        "list filtered": lambda db, id, n: list_page(contents(db), ListRequest(filter=f"id = {id} OR NOT id = {id}")),
        "state at": lambda db, id, n: _state(db, id),
        "registry get": lambda db, id, n: EntityRegistry(db).get(id),
        "registry list": lambda db, id, n: EntityRegistry(db).list(deleted=bool(n % 2)),
        "registry text": lambda db, id, n: EntityRegistry(db).search(WORDS[n]),
        "registry pattern": lambda db, id, n: EntityRegistry(db).search("*", mode="pattern"),
        "registry fuzzy": lambda db, id, n: EntityRegistry(db).search(WORDS[n][1:], mode="fuzzy"),
        "search": lambda db, id, n: search(db, f"{WORDS[n]} OR words"),
        "search typo": lambda db, id, n: search(db, WORDS[n][:-1] + "x "),
        "events": lambda db, id, n: read_events(db, entity_id=id if n % 2 else None),
        "follow": lambda db, id, n: _followed(db),
        "lease": fenced,
        "lock": under_lock,
        "broken": broken,
    }


async def _state(db: Database, id: int) -> Content:
    return await state_at(db, Content, id, datetime.now(UTC))


async def _followed(db: Database) -> list[Any]:
    return [event async for events in follow(db) for event in events]


@pytest_asyncio.fixture(scope="module")
async def months(database: Database) -> Database:
    """The shared pools, which made the months; the calls go through narrower ones."""
    return database


OPS = ops()
steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(OPS)),
        st.booleans(),
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from([None, None, None, 0.0, 0.001, 0.003]),
    ),
    min_size=3,
    max_size=14,
)


def campaigns_in(answer: Any) -> set[int]:
    """The campaigns of everything in an answer."""
    if isinstance(answer, list | tuple | set):
        return set().union(*(campaigns_in(part) for part in answer)) if answer else set()
    if isinstance(answer, dict):
        return campaigns_in(list(answer.values()))
    if isinstance(answer, msgspec.Struct):
        own = {answer.campaign_id} if hasattr(answer, "campaign_id") else set()
        return own | campaigns_in([getattr(answer, name) for name in answer.__struct_fields__])
    return set()


def hit_ids(answer: Any) -> set[int]:
    """The ids of a search's hits."""
    return {hit.id for hit in getattr(answer, "hits", [])}


async def rows_of(connection: asyncpg.Connection, campaign: int) -> dict[str, str]:
    """All rows of a campaign, table by table, as a superuser sees them."""
    names = [row["name"] for row in await connection.fetch(CAMPAIGN_TABLES)]
    query = "SELECT coalesce(md5(string_agg(t::text, ' ' ORDER BY t::text)), '') FROM {} AS t WHERE campaign_id = $1"
    return {name: await connection.fetchval(query.format(name), campaign) for name in names}


async def scopes(database: Database) -> set[str | None]:
    """The campaigns that the sessions of the pools still see; each pool has one, so what was cancelled has ended."""
    query = "SELECT nullif(current_setting('ovasabi.campaigns', true), '') AS seen"
    asked = [(database.read if pool.reads else database.write, pool) for pool in Pool]
    return {(await ask(query, pool=pool))[0]["seen"] for ask, pool in asked}


@hypothesis_settings(PROPERTY, max_examples=25)
@given(plan=steps)
async def test_no_sequence_of_calls_returns_or_changes_another_campaigns_rows(
    months: Database, database_url: str, plan: list
) -> None:
    async with pools(database_url, readers=1, writers=1) as database, admin(database_url) as connection:
        both = [await make_campaign(database), await make_campaign(database)]
        known: list[int] = []
        for campaign in both:
            with within(campaign):
                made = await contents(database).create_many(
                    [NewEntity({"title": f"{word} words"}) for word in WORDS[:3]]
                )
                known += [content.id for content in made]
        owned = {campaign: set(known[place * 3 : place * 3 + 3]) for place, campaign in enumerate(both)}
        for name, second, which, number, cut in plan:
            campaign, other = both[second], both[not second]
            before = await rows_of(connection, other)
            with within(campaign):
                task = asyncio.ensure_future(OPS[name](database, known[which], number))
            if cut is not None:
                await asyncio.sleep(cut)
                task.cancel()
            (answer,) = await asyncio.gather(task, return_exceptions=True)
            assert await scopes(database) == {None}, f"{name} left its scope in the session"
            assert campaigns_in(answer) <= {campaign}, name
            owned[campaign] |= await _ids(connection, campaign)
            assert hit_ids(answer) <= owned[campaign], name
            assert await rows_of(connection, other) == before, f"{name} for {campaign} changed rows of {other}"


ROUNDS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["create", "create keyed", "create below", "get", "update", "adjust", "delete", "restore"]),
            st.integers(0, 2),
            st.integers(0, 8),
            st.integers(0, 3),
            st.sampled_from([None, None, None, 0.0, 0.001]),
        ),
        min_size=4,
        max_size=24,
    ),
    min_size=1,
    max_size=3,
)


@hypothesis_settings(PROPERTY, max_examples=25)
@given(rounds=ROUNDS)
async def test_no_calls_that_share_their_statements_return_or_change_another_campaigns_rows(
    months: Database, database_url: str, shared: Callable[[Database], Repository[Content]], rounds: list
) -> None:
    async with pools(database_url, readers=1, writers=1) as database, admin(database_url) as connection:
        campaigns = [await make_campaign(database) for _ in range(3)]
        known: list[int] = []
        home: dict[int, int] = {}
        for campaign in campaigns:
            with within(campaign):
                made = await shared(database).create_many([NewEntity({"title": f"{word} words"}) for word in WORDS[:3]])
            known += [content.id for content in made]
        for number, calls in enumerate(rounds):
            tasks = []
            for name, which, of, varied, _ in calls:
                with acting(system_context(f"{campaigns[which]} {number}", campaigns[which])):
                    tasks.append(asyncio.ensure_future(OPS[name](database, known[of], varied)))
            for (*_, cut), task in zip(calls, tasks, strict=True):
                if cut is not None:
                    await asyncio.sleep(cut)
                    task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for (name, which, of, _, _), answer in zip(calls, answers, strict=True):
                assert campaigns_in(answer) <= {campaigns[which]}, name
                if name in ("get", "update", "adjust", "delete", "restore") and of // 3 != which:
                    assert isinstance(answer, EntityNotFound | KeyTaken | asyncio.CancelledError), (name, answer)
                assert isinstance(answer, Content | OvasabiError | asyncio.CancelledError), (name, answer)
            assert await scopes(database) == {None}, "a scope was left in the session"
        for campaign in campaigns:
            home |= dict.fromkeys(await _ids(connection, campaign), campaign)
        rows = await connection.fetch(EVENTS_AND_ROWS, campaigns)
        assert rows
        for row in rows:
            assert row["campaign_id"] == home[row["master_id"]], "an event or a row of another campaign's entity"
            actor = row["actor"].split()[0]
            assert actor in ("system:test", f"system:{row['campaign_id']}"), "written by another campaign's caller"
            assert row["parent_id"] is None or home[row["parent_id"]] == row["campaign_id"]


EVENTS_AND_ROWS = """
SELECT e.campaign_id, e.master_id, e.actor, s.parent_id
FROM service_event AS e LEFT JOIN service_content_main AS s ON s.master_id = e.master_id
WHERE e.campaign_id = ANY ($1) UNION ALL
SELECT s.campaign_id, s.master_id, 'system:test', s.parent_id FROM service_content_main AS s
WHERE s.campaign_id = ANY ($1)"""


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Callable[[Database], Repository[Content]]:
    """One repository for each database, so that all of its callers share lanes; the calls of the property go to it."""
    repositories: dict[Database, Repository[Content]] = {}

    def repository(database: Database) -> Repository[Content]:
        if database not in repositories:
            repositories[database] = Repository(database, Content)
        return repositories[database]

    monkeypatch.setitem(globals(), "contents", repository)
    return repository


async def test_calls_of_that_property_do_share_their_statements(
    months: Database, database_url: str, shared: Callable[[Database], Repository[Content]]
) -> None:
    async with counted(database_url) as (database, sent):
        campaigns = [await make_campaign(database) for _ in range(3)]
        for name in ("create", "get", "update"):
            for _ in range(2):  # the first time, the driver asks for the types that it meets
                sent.clear()
                tasks = []
                for campaign in campaigns:
                    with within(campaign):
                        tasks += [asyncio.ensure_future(OPS[name](database, 4711 + n, n)) for n in range(4)]
                await asyncio.gather(*tasks, return_exceptions=True)
            kind = {"create": "INSERT INTO", "get": "AS _asked_by", "update": "UPDATE"}[name]
            assert len([text for text in sent if kind in text]) <= 3, name


async def _ids(connection: asyncpg.Connection, campaign: int) -> set[int]:
    return {row["id"] for row in await connection.fetch("SELECT id FROM master WHERE campaign_id = $1", campaign)}


async def test_the_calls_of_the_property_do_find_and_change_rows_of_their_own(
    months: Database, database_url: str
) -> None:
    async with pools(database_url, readers=1, writers=1) as database, admin(database_url) as connection:
        campaign = await make_campaign(database)
        with within(campaign):
            for name, op in OPS.items():
                made = await contents(database).create({"title": "alpha words"})
                if name == "restore":
                    await contents(database).delete(made.id)
                before = await rows_of(connection, campaign)
                answer = await caught(op(database, made.id, 0))
                changed = await rows_of(connection, campaign) != before
                useful = campaigns_in(answer) or hit_ids(answer) or changed or name in ("broken", "get many")
                assert useful, (name, answer)
