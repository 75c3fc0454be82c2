"""A deadline bounds its caller's wait: the call shares statements and kept answers, which go on for the others."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from ovasabi.database import pools
from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.errors import DeadlineExceeded
from ovasabi.kernel.call.context import acting, current, system_context
from ovasabi.kernel.search.result_cache import ResultCache
from ovasabi.kernel.service import SearchRequest, ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest, list_page
from tests.integration.kernel.cache_fixtures import overheard
from tests.integration.kernel.fixtures import admin, contents, eventually, kinds, make_campaign, together, within
from tests.integration.kernel.merging_fixtures import counted, some, written
from tests.integration.kernel.test_deadlines import running

pytestmark = pytest.mark.usefixtures("database")  # it made the months


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements wait for locks until a caller's deadline ends it, as they would for anything else that is slow."""
    monkeypatch.setattr(pools, "STATEMENT_LOCK_SECONDS", 10.0)


LONG = 60.0
"""Time enough on any machine."""
STATEMENT = "WITH scope AS MATERIALIZED"


def hurried(campaign: int, seconds: float) -> Any:
    """Runs a block with a deadline."""
    deadline = asyncio.get_running_loop().time() + seconds
    return acting(msgspec.structs.replace(system_context("test", campaign), deadline=deadline))


def statements(sent: list[str]) -> list[str]:
    """Those of the kernel; the driver asks for types, too."""
    return [text for text in sent if "campaigns', $1" in text]


async def asked(campaign: int, seconds: float | None, call: Callable[[], Awaitable[Any]]) -> Any:
    """A call with a deadline, or with none."""
    with within(campaign) if seconds is None else hurried(campaign, seconds):
        return await call()


async def test_64_creates_with_deadlines_are_few_statements(database_url: str) -> None:
    async with counted(database_url) as (database, sent):
        campaign, repository = await make_campaign(database), contents(database)
        sent.clear()
        made = await together(64, lambda n: asked(campaign, LONG + n % 7, lambda: repository.create({"title": f"{n}"})))
        assert kinds(made) == {"Content": 64}
        assert len(statements(sent)) <= 3
        assert len(await written(database_url, campaign)) == 64


async def test_gets_changes_and_pages_with_deadlines_share_statements_with_those_without(database_url: str) -> None:
    async with counted(database_url) as (database, sent):
        campaign, repository = await make_campaign(database), contents(database)
        made = await some(database, [campaign], 32)

        def ask(call: Callable[[int], Awaitable[Any]]) -> Awaitable[list[Any]]:
            return together(32, lambda n: asked(campaign, LONG if n % 2 else None, lambda: call(n)))

        sent.clear()
        assert await ask(lambda n: repository.get(made[n].id)) == made
        assert len(statements(sent)) <= 2
        sent.clear()
        changed = await ask(lambda n: repository.update(made[n].id, {"body": "changed"}))
        assert {one.body for one in changed} == {"changed"}
        assert len(statements(sent)) <= 2
        sent.clear()
        pages = await ask(lambda n: list_page(repository, ListRequest(page_size=5, filter="body = changed")))
        assert len({id(page) for page in pages}) == 1, "one page was read, for all"
        assert len(statements(sent)) <= 2


async def test_a_shared_statement_has_the_sessions_limit_and_no_callers(database_url: str) -> None:
    async with counted(database_url) as (database, sent), admin(database_url) as connection:
        campaign, repository = await make_campaign(database), contents(database)
        (made,) = await some(database, [campaign], 1)
        sent.clear()
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made.id)
            task = asyncio.create_task(asked(campaign, 5.0, lambda: repository.update(made.id, {"title": "in time"})))
            await eventually(running(database_url, STATEMENT, 1))
        assert (await task).title == "in time"
        assert [text for text in sent if "statement_timeout" in text] == []
        show = "SELECT current_setting('statement_timeout')"
        assert (await database.write(show, pool=Pool.WRITE))[0][0] == "30s"


async def test_an_impatient_caller_among_patient_ones_goes_and_the_statement_goes_on(database_url: str) -> None:
    async with counted(database_url) as (database, sent), admin(database_url) as connection:
        campaign, repository = await make_campaign(database), contents(database)
        made = await some(database, [campaign], 4)
        sent.clear()
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made[0].id)
            patience = [LONG, 0.3, None, LONG]
            tasks = [
                asyncio.create_task(
                    asked(campaign, patience[n], lambda n=n: repository.update(made[n].id, {"title": "changed"}))
                )
                for n in range(4)
            ]
            await eventually(running(database_url, STATEMENT, 1))
            with pytest.raises(DeadlineExceeded):
                await tasks[1]
            assert [task.done() for task in tasks] == [False, True, False, False]
            assert await running(database_url, STATEMENT, 1)(), "it goes on for the others"
        answers = await asyncio.gather(tasks[0], tasks[2], tasks[3])
        assert {answer.title for answer in answers} == {"changed"}
        assert len(statements(sent)) == 1


async def test_when_the_last_deadline_has_passed_the_statement_is_cancelled(database_url: str) -> None:
    async with counted(database_url) as (database, _), admin(database_url) as connection:
        campaign, repository = await make_campaign(database), contents(database)
        made = await some(database, [campaign], 3)
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made[0].id)
            answers = await together(
                3,
                lambda n: asked(campaign, 0.3 + 0.2 * n, lambda: repository.update(made[n].id, {"title": "changed"})),
            )
            assert kinds(answers) == {"DeadlineExceeded": 3}
            await eventually(running(database_url, STATEMENT, 0))
        with within(campaign):
            assert [(await repository.get(one.id)).title for one in made] == [one.title for one in made]


async def test_a_call_whose_deadline_passes_while_it_waits_for_its_turn_is_never_sent(database_url: str) -> None:
    async with counted(database_url) as (database, _), admin(database_url) as connection:
        campaign, repository = await make_campaign(database), contents(database)
        (made,) = await some(database, [campaign], 1)
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made.id)
            first = asyncio.create_task(asked(campaign, None, lambda: repository.update(made.id, {"title": "first"})))
            await eventually(running(database_url, STATEMENT, 1))
            # Of one entity, one change is under way at a time.
            with pytest.raises(DeadlineExceeded):
                await asked(campaign, 0.2, lambda: repository.update(made.id, {"title": "second"}))
        assert (await first).version == 2
        with within(campaign):
            assert (await repository.get(made.id)).title == "first"


async def test_kept_answers_are_given_to_calls_with_a_deadline(database_url: str) -> None:
    async with overheard(database_url) as (database, sent):
        registry = ServiceRegistry(database)
        campaign = await make_campaign(database)
        with within(campaign):
            await registry.named("content").create({"title": "rare bird"})
        request = SearchRequest(q="bird")

        async def search() -> Any:
            return await asked(campaign, LONG, lambda: registry.named("content").search(request))

        found = [await search() for _ in range(2)]
        sent.clear()
        found += [await search() for _ in range(5)]
        assert [len(one.hits) for one in found] == [1] * 7
        snapshots, _, searches = sent.counts()
        assert (snapshots, searches) == (5, 0), "each asks whether it is still so, and none searches"
        assert [text for text in sent if "statement_timeout" in text] == []


async def test_a_look_that_outlasts_the_deadline_ends_the_wait_for_a_kept_answer(
    database: Database, database_url: str
) -> None:
    campaign = await make_campaign(database)
    cache, begun = ResultCache(database), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await database.read("SELECT pg_sleep(60), 'a slow question'")
        return "never"

    with hurried(campaign, 0.3), pytest.raises(DeadlineExceeded):
        await cache.get("question", current().campaign_id or 0, slow)
    assert begun.is_set()
    await eventually(running(database_url, "a slow question", 0))
