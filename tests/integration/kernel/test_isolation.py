"""No call for one campaign ever returns or changes a row of another, whatever came before it on the same connection."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest_asyncio
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kernel_kit import CAMPAIGN_TABLES, PROPERTY, admin, caught, contents, make_campaign, pools, within

from ovasabi.database.connection import Database
from ovasabi.kernel.events import follow, read_events
from ovasabi.kernel.history import state_at
from ovasabi.kernel.listing import ListRequest, list_page
from ovasabi.kernel.locks import acquire, locked, locked_entity
from ovasabi.kernel.master import MasterRepository
from ovasabi.kernel.rows import Change, Draft
from ovasabi.kernel.search import search
from ovasabi.kernel.work import transaction
from ovasabi.services.content.entity import Content

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
        "create many": lambda db, id, n: contents(db).create_many(
            [Draft({"title": "a", "parent_id": id}), Draft({"title": "b"}), Draft({"title": "c", "author_id": 2**63})]
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
        "registry get": lambda db, id, n: MasterRepository(db).get(id),
        "registry list": lambda db, id, n: MasterRepository(db).list(deleted=bool(n % 2)),
        "registry update": lambda db, id, n: MasterRepository(db).update(id, "stolen"),
        "registry delete": lambda db, id, n: MasterRepository(db).delete(id),
        "registry text": lambda db, id, n: MasterRepository(db).search(WORDS[n]),
        "registry pattern": lambda db, id, n: MasterRepository(db).search("*", mode="pattern"),
        "registry fuzzy": lambda db, id, n: MasterRepository(db).search(WORDS[n][1:], mode="fuzzy"),
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


@pytest_asyncio.fixture(scope="session")
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
    """The campaigns that the sessions of both pools still see."""
    query = "SELECT nullif(current_setting('ovasabi.campaigns', true), '') AS seen"
    return {(await database.read(query))[0]["seen"], (await database.write(query))[0]["seen"]}


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
                made = await contents(database).create_many([Draft({"title": f"{word} words"}) for word in WORDS[:3]])
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
            assert campaigns_in(answer) <= {campaign}, name
            owned[campaign] |= await _ids(connection, campaign)
            assert hit_ids(answer) <= owned[campaign], name
            assert await rows_of(connection, other) == before, f"{name} for {campaign} changed rows of {other}"
            assert await scopes(database) == {None}, f"{name} left its scope in the session"


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
