"""Rows that another transaction holds locked keep their own callers waiting, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.errors import DeadlineExceeded, OvasabiError
from ovasabi.kernel.batching import locked_rows
from ovasabi.kernel.batching.concurrency import Concurrency
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.store.rows import Change, NewEntity
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, kinds, make_campaign, pools, together, within
from tests.integration.kernel.merging_fixtures import called, caller, counted, some
from tests.integration.kernel.test_merged_deadlines import asked, statements

pytestmark = pytest.mark.usefixtures("database")  # it made the months


@asynccontextmanager
async def held(url: str, made: list[Content]) -> AsyncIterator[None]:
    """Another session holds the rows of contents locked."""
    async with admin(url) as connection, connection.transaction():
        ids = [content.id for content in made]
        await connection.execute("SELECT 1 FROM master WHERE id = ANY ($1::bigint[]) FOR UPDATE", ids)
        yield


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Database, int, int]]:
    """Pools of two connections, and two campaigns."""
    async with pools(database_url, readers=2, writers=2) as database:
        yield database, await make_campaign(database), await make_campaign(database)


async def test_locked_rows_of_one_campaign_keep_no_change_of_another_waiting(
    two: tuple[Database, int, int], database_url: str
) -> None:
    database, home, neighbour = two
    locked, free = await some(database, [home], 20), await some(database, [neighbour], 20)
    repository = contents(database)
    async with held(database_url, locked):

        def change(campaign: int, one: Content, title: str) -> "asyncio.Task[Any]":
            return asyncio.ensure_future(
                called(caller(campaign, one.id), lambda: repository.update(one.id, {"title": title}))
            )

        waiting = [change(home, one, f"{n}") for n in range(2) for one in locked]
        answers = await asyncio.gather(*(change(neighbour, one, "free") for one in free))
        assert kinds(answers) == {"Content": 20}
        assert not any(task.done() for task in waiting), "they wait on, and no longer together with others"
        again = await asyncio.gather(*(change(neighbour, one, "again") for one in free))
        assert {one.title for one in again} == {"again"}
        assert not any(task.done() for task in waiting)
    assert kinds(await asyncio.gather(*waiting)) == {"Content": 40}
    with within(home):
        left = await repository.get_many([one.id for one in locked])
    assert {(one.title, one.version) for one in left.values()} == {("1", 3)}, "in order of arrival"


async def test_a_create_under_a_locked_row_waits_alone(two: tuple[Database, int, int], database_url: str) -> None:
    database, home, neighbour = two
    parent, *_ = await some(database, [home], 1)
    repository = contents(database)
    async with held(database_url, [parent]):
        values = {"title": "c", "parent_id": parent.id}
        task = asyncio.ensure_future(called(caller(home, 1), lambda: repository.create(values)))
        free = await together(10, lambda n: called(caller(neighbour, n), lambda: repository.create({"title": f"{n}"})))
        assert kinds(free) == {"Content": 10}
        assert not task.done()
    assert (await task).parent_id == parent.id


async def test_a_row_that_stays_locked_is_refused_and_holds_no_connection_meanwhile(
    two: tuple[Database, int, int], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, home, neighbour = two
    monkeypatch.setattr(locked_rows, "LOCK_SECONDS", 1.0)
    locked, (free,) = await some(database, [home], 8), await some(database, [neighbour], 1)
    repository = contents(database)
    async with held(database_url, locked):
        refused = await together(
            8, lambda n: called(caller(home, n), lambda: repository.update(locked[n].id, {"title": "x"}))
        )
        assert {getattr(error, "code", None) for error in refused} == {"contended"}
        with within(neighbour):
            assert (await repository.update(free.id, {"title": "y"})).title == "y"
            assert await repository.update_many([Change(free.id, {"title": "z"})])
        with within(home):
            many = await repository.update_many([Change(one.id, {"title": "x"}) for one in locked])
            assert {error.code for error in many if isinstance(error, OvasabiError)} == {"contended"}
            assert kinds(await repository.create_many([NewEntity({"title": "new"})])) == {"Content": 1}


async def test_the_deadline_of_a_caller_ends_its_wait_for_a_locked_row(
    two: tuple[Database, int, int], database_url: str
) -> None:
    database, home, _ = two
    (locked,) = await some(database, [home], 1)
    repository = contents(database)
    async with held(database_url, [locked]):
        with pytest.raises(DeadlineExceeded):
            await asked(home, 0.6, lambda: repository.update(locked.id, {"title": "x"}))
        await repository._changes["update"].settled()
    with within(home):
        assert (await repository.get(locked.id)).version == 1, "nobody waits any more, so it is not changed"


async def test_of_one_campaign_only_half_of_what_may_wait_waits(
    two: tuple[Database, int, int], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, home, neighbour = two
    monkeypatch.setattr(locked_rows, "_waiting", Concurrency(4))
    locked, others = await some(database, [home], 5), await some(database, [neighbour], 1)
    repository = contents(database)

    def change(campaign: int, one: Content) -> Awaitable[Any]:
        return called(caller(campaign, one.id), lambda: repository.update(one.id, {"title": "x"}))

    async with held(database_url, locked + others):
        waiting = [asyncio.ensure_future(change(home, one)) for one in locked]
        waiting += [asyncio.ensure_future(change(neighbour, one)) for one in others]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            done, _ = await asyncio.wait(waiting, timeout=0.05)
        assert {task.result().code for task in done} == {"overloaded"}
        assert waiting[5] not in done
    answers = await asyncio.gather(*waiting)
    assert kinds(answers) == {"Content": 3, "Overloaded": 3}


async def test_a_single_write_beside_the_entities_is_sent_again_until_it_has_its_lock(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pools(database_url, readers=1, writers=1) as database, admin(database_url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT pg_advisory_xact_lock(4712)")
        writing = asyncio.create_task(database.write("SELECT pg_advisory_xact_lock(4712)"))
        assert await database.write("SELECT 1") is not None, "the only connection is given back in between"
        await asyncio.sleep(0.3)
        assert not writing.done()
        await transaction.rollback()
        assert len(await writing) == 1


async def test_sessions_wait_briefly_for_a_lock_and_transactions_longer_without_a_further_message(
    database_url: str,
) -> None:
    show = "SELECT current_setting('lock_timeout') AS it"
    async with counted(database_url) as (database, sent):
        for pool in (Pool.WRITE, Pool.WRITE_PLANNED):
            assert (await database.write(show, pool=pool))[0]["it"] == "250ms"
        sent.clear()
        async with database.transaction() as connection:
            assert await connection.fetchval(show) == "10s"
        assert len(sent) == 3, "begin, the statement, and commit"
        campaign, repository = await make_campaign(database), contents(database)
        sent.clear()
        await asked(campaign, None, lambda: repository.create({"title": "t"}))
        assert len(statements(sent)) == 1
        assert [text for text in sent if "lock_timeout" in text] == []


async def test_transactions_of_one_campaign_that_wait_for_a_lock_leave_connections_to_others(
    two: tuple[Database, int, int], database_url: str
) -> None:
    database, home, neighbour = two
    locked = await some(database, [home], 4)
    repository = contents(database)

    async def changed(one: Content) -> Content:
        async with transaction(database):
            return await repository.update(one.id, {"title": "in a transaction"})

    async with held(database_url, locked):
        waiting = [asyncio.ensure_future(called(caller(home, one.id), lambda one=one: changed(one))) for one in locked]
        free = await some(database, [neighbour], 10)
        answers = await together(10, lambda n: called(caller(neighbour, n), lambda: changed(free[n])))
        assert kinds(answers) == {"Content": 10}
        assert not any(task.done() for task in waiting)
    assert kinds(await asyncio.gather(*waiting)) == {"Content": 4}
