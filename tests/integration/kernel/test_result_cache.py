"""The cache of results: a result always includes everything that was committed before the call."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.context import PLATFORM, Fence, acting, system_context
from ovasabi.kernel.call.locks import acquire
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.search import result_cache
from ovasabi.kernel.search.generations import MAX_AGE_SECONDS
from ovasabi.kernel.search.result_cache import ResultCache
from ovasabi.kernel.service import SearchRequest, ServiceRegistry
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.runtime import running
from ovasabi.services.content.entity import Content, ReactionKind
from ovasabi.settings import Settings
from ovasabi.system.search.service import Search, SearchQuery
from tests.integration.kernel.cache_fixtures import Clock, overheard, unfinished
from tests.integration.kernel.fixtures import admin, contents, make_campaign, pools, within

REQUEST, QUERY = SearchRequest(q="kept ", page_size=100), SearchQuery(q="kept ", page_size=100)
Ask = Callable[[ServiceRegistry], Awaitable[Any]]
ASKED: dict[str, Ask] = {
    "one type": lambda registry: registry.named("content").search(REQUEST),
    "all types": lambda registry: registry.service(Search).search(QUERY),
}


@pytest_asyncio.fixture
async def elsewhere(database_url: str) -> AsyncIterator[ServiceRegistry]:
    """The services of another process."""
    async with pools(database_url, readers=2, writers=2) as database:
        yield ServiceRegistry(database)


async def made(registry: ServiceRegistry, count: int = 1) -> list[Content]:
    """Contents that the searches find."""
    drafts = [NewEntity({"title": f"kept {number}"}) for number in range(count)]
    created = await registry.named("content").create_many(drafts)
    assert all(isinstance(content, Content) for content in created)
    return created  # type: ignore[return-value]


async def until_kept(ask: Ask, registry: ServiceRegistry) -> Any:
    """The answer that is given again, and again."""
    await ask(registry)
    answer = await ask(registry)
    assert await ask(registry) is answer, "it is kept"
    return answer


async def user_of(registry: ServiceRegistry) -> int:
    """A user of the platform."""
    name = f"u{uuid.uuid4().hex[:10]}"
    with within(PLATFORM):
        user = await registry.named("user").create(
            {"username": name, "email": f"{name}@example.org", "password": "Correct-horse-7"}
        )
    return int(user.id)


@pytest.mark.parametrize("asked", ASKED)
async def test_what_another_process_writes_is_in_the_next_answer(
    registry: ServiceRegistry, elsewhere: ServiceRegistry, campaign: int, asked: str
) -> None:
    ask, writer, user = ASKED[asked], elsewhere.named("content"), await user_of(elsewhere)
    reactions, comments = elsewhere.named("reaction"), elsewhere.named("comment")
    with within(campaign):
        first, second = await made(elsewhere, 2)
        writes: list[Callable[[], Awaitable[Any]]] = [
            lambda: writer.create({"title": "kept too"}),
            lambda: writer.update(first.id, {"title": "kept and renamed"}),
            lambda: writer.update(second.id, {"title": "found no more"}),
            lambda: writer.delete(first.id),
            lambda: writer.restore(first.id),
            lambda: made(elsewhere, 20),
        ]
        counters: list[Callable[[], Awaitable[Any]]] = [
            lambda: comments.create({"content_id": first.id, "body": "a comment"}),
            lambda: reactions.create({"content_id": first.id, "user_id": user, "kind": ReactionKind.LIKE}),
        ]
        for write in writes:
            before = await until_kept(ask, registry)
            await write()
            after = await ask(registry)
            assert after != before
            assert after == await ask(ServiceRegistry(registry.database)), "as one who keeps nothing is told"
        for write in counters:
            before = await until_kept(ask, registry)
            await write()
            after = await ask(registry)
            assert (after != before) is (asked == "one type"), "the registry has no counters"
            assert after == await ask(ServiceRegistry(registry.database))


@pytest.mark.parametrize("asked", ASKED)
async def test_what_was_uncommitted_when_the_answer_was_kept_is_in_the_next_one_after_its_commit(
    registry: ServiceRegistry, elsewhere: ServiceRegistry, campaign: int, asked: str
) -> None:
    ask = ASKED[asked]
    with within(campaign):
        await made(elsewhere)
        async with unfinished(elsewhere.database, campaign) as does:
            early = await does(lambda: contents(elsewhere.database).create({"title": "kept for later"}))
            await made(elsewhere)  # a later transaction, which ends before
            answer = await until_kept(ask, registry)
            assert early.id not in ids_of(answer)
        assert early.id in ids_of(await ask(registry))


def ids_of(answer: Any) -> list[int]:
    """What was found."""
    return [getattr(hit, "entity", hit).id for hit in answer.hits]


async def test_no_search_misses_what_was_committed_before_it_began_whoever_wrote_it_and_in_which_order(
    registry: ServiceRegistry, elsewhere: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions overlap, and end in another order than they began in; searches ask the same over and over."""
    monkeypatch.setattr(result_cache, "FIRST_PAUSE", 0.0)
    chance, versions, given = random.Random(5), dict[int, int](), list[Any]()
    repository = contents(elsewhere.database)
    with within(campaign):
        for content in await made(elsewhere, 8):
            versions[content.id] = content.version
        writing = True

        async def writer(own: list[int]) -> None:
            for _ in range(25):
                async with transaction(elsewhere.database):
                    changed = [await repository.update(id, {"body": f"{chance.random()}"}) for id in own]
                    await asyncio.sleep(chance.random() * 0.02)
                versions.update({content.id: content.version for content in changed})
                await asyncio.sleep(chance.random() * 0.05)

        async def searcher() -> None:
            while writing:
                due = dict(versions)
                answer = await registry.named("content").search(REQUEST)
                found = {hit.entity.id: hit.entity.version for hit in answer.hits}
                assert {id: version for id, version in due.items() if found[id] < version} == {}
                given.append(answer)
                await asyncio.sleep(chance.random() * 0.005)

        searching = [asyncio.create_task(searcher()) for _ in range(4)]
        await asyncio.gather(*(writer(list(versions)[place::4]) for place in range(4)))
        writing = False
        await asyncio.gather(*searching)
    assert len({id(answer) for answer in given}) < len(given) / 2, "answers were kept"
    assert len({id(answer) for answer in given}) > 20, "and searched anew"


async def test_an_answer_of_one_campaign_is_never_given_in_another(registry: ServiceRegistry, campaign: int) -> None:
    other = await make_campaign(registry.database)
    for ask in ASKED.values():
        with within(campaign):
            await made(registry)
            answer = await until_kept(ask, registry)
            assert answer.hits
        with within(other):
            assert (await until_kept(ask, registry)).hits == []
        with within(campaign):
            assert await ask(registry) == answer


async def test_on_the_platform_nothing_is_kept(registry: ServiceRegistry) -> None:
    kept = len(registry.result_cache.results)
    await make_campaign(registry.database, title="kept on the platform")
    with within(PLATFORM):
        answers = [await registry.named("campaign").search(REQUEST) for _ in range(4)]
    assert answers[0].hits
    assert len({id(answer) for answer in answers}) == 4
    assert len(registry.result_cache.results) == kept


@pytest.mark.parametrize("asked", ASKED)
async def test_a_cached_result_costs_a_poll_and_a_new_query_does_not(
    database_url: str, campaign: int, asked: str
) -> None:
    ask = ASKED[asked]
    async with overheard(database_url) as (database, sent):
        registry = ServiceRegistry(database)
        with within(campaign):
            await made(registry)
            sent.clear()
            await ask(registry)
            assert sent.counts() == (0, 0, 1), "asked for the first time"
            await ask(registry)
            assert sent.counts() == (1, 0, 1), "the second time it is kept"
            for _ in range(5):
                await ask(registry)
                snapshots, logs, searches = sent.counts()
                assert (snapshots, searches) == (1, 0)
                assert logs <= 1
            await asyncio.gather(*(ask(registry) for _ in range(30)))
            assert sent.counts()[0] == 1, "callers of the same moment share a look"
            for number in range(5):
                await registry.named("content").search(SearchRequest(q=f"other{number}"))
                assert sent.counts() == (0, 0, 1)


async def test_where_events_come_faster_than_the_question_the_looks_are_left_off_for_a_while(
    database_url: str, campaign: int
) -> None:
    clock, ask = Clock(), ASKED["one type"]
    async with overheard(database_url) as (database, sent):
        registry = ServiceRegistry(database)
        registry.result_cache = ResultCache(database, clock=clock)
        looks = []
        with within(campaign):
            for number in range(1, 9):
                await made(registry)
                sent.clear()
                assert len((await ask(registry)).hits) == number
                snapshots, _, searches = sent.counts()
                assert searches == 1
                looks.append(snapshots)
            assert looks == [0, 1, 1, 0, 0, 0, 0, 0]
            clock.now += result_cache.FIRST_PAUSE
            await until_kept(ask, registry)


async def test_after_a_minute_an_answer_is_looked_for_again_even_if_nothing_happened(
    database: Database, database_url: str, campaign: int
) -> None:
    clock, registry = Clock(), ServiceRegistry(database)
    registry.result_cache = ResultCache(database, clock=clock)
    ask = ASKED["one type"]
    with within(campaign):
        (content,) = await made(registry)
        answer = await until_kept(ask, registry)
        async with admin(database_url) as connection:  # by hand, without an event
            await connection.execute("UPDATE service_content_main SET body = 'b' WHERE master_id = $1", content.id)
        clock.now += MAX_AGE_SECONDS - 1
        assert await ask(registry) is answer
        clock.now += 1
        assert [hit.entity.body for hit in (await ask(registry)).hits] == ["b"]


async def test_in_a_transaction_or_under_a_lease_a_caller_is_given_no_kept_answer_and_with_a_deadline_it_is(
    database: Database, campaign: int
) -> None:
    registry, ask = ServiceRegistry(database), ASKED["one type"]
    with within(campaign):
        await made(registry)
        answer = await until_kept(ask, registry)
        async with transaction(database):
            own = await contents(database).create({"title": "kept by me alone"})
            assert own.id in ids_of(await ask(registry))
        assert own.id in ids_of(await ask(registry))
        answer = await until_kept(ask, registry)
        context = system_context("test", campaign)
        lease = await acquire(database, "keeping", 30)
    with acting(msgspec.structs.replace(context, fence=Fence(lease.name, lease.token))):
        found = await ask(registry)
        assert found == answer
        assert found is not answer
    with acting(msgspec.structs.replace(context, deadline=asyncio.get_running_loop().time() + 60)):
        assert await ask(registry) is answer
    with within(campaign):
        assert await ask(registry) is answer


async def test_when_the_database_is_away_no_kept_answer_is_given(database_url: str, campaign: int) -> None:
    async with pools(database_url, readers=1, writers=1) as database:
        registry, ask = ServiceRegistry(database), ASKED["one type"]
        with within(campaign):
            await made(registry)
            answer = await until_kept(ask, registry)
            await database.close()
            with pytest.raises(DatabaseUnavailable):
                await ask(registry)
            await database.open()
            assert await ask(registry) is answer


@pytest.mark.parametrize(("megabytes", "kept"), [(0, 0), (1, 1)])
async def test_a_process_keeps_as_much_as_it_is_set_to(
    database_url: str, campaign: int, tmp_path: Path, megabytes: int, kept: int
) -> None:
    settings = Settings(home=tmp_path, pool_size=1, write_pool_size=1, operations=0, search_cache_mb=megabytes)
    async with running(database_url, settings) as platform:
        with within(campaign):
            await made(platform.registry)
            answers = [await ASKED["one type"](platform.registry) for _ in range(4)]
        assert all(answer.hits for answer in answers)
        assert len({id(answer) for answer in answers}) == (2 if kept else 4)
        assert len(platform.registry.result_cache.results) == kept


async def test_a_search_that_fails_is_not_kept_and_the_next_one_asks(database: Database, campaign: int) -> None:
    result_cache, asked = ResultCache(database), 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        if asked <= 3:
            raise ZeroDivisionError
        return asked

    with within(campaign):
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await result_cache.get("question", campaign, ask)
        assert [await result_cache.get("question", campaign, ask) for _ in range(3)] == [4, 4, 4]
