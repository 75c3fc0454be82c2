"""No wait is without a bound: it ends with its caller's deadline, and no query goes on for nobody."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import DeadlineExceeded
from ovasabi.kernel.call.context import acting, current
from ovasabi.kernel.call.transaction import read, transaction
from tests.integration.kernel.fixtures import admin, contents, eventually, pools, within

BOUND = 5.0
"""Seconds within which a call with a deadline of a fraction of one must have ended, also on a slow machine."""


def until(seconds: float) -> Any:
    """Gives the running context a deadline."""
    deadline = asyncio.get_running_loop().time() + seconds
    return acting(msgspec.structs.replace(current(), deadline=deadline))


def running(url: str, part: str, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many sessions run a statement that holds a text."""

    async def condition() -> bool:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()"
        )
        async with admin(url) as connection:
            return await connection.fetchval(query, f"%{part}%") == count

    return condition


async def in_time(call: Awaitable[Any], error: type[Exception]) -> None:
    """The call fails with an error within the bound."""
    begun = time.monotonic()
    with pytest.raises(error):
        await asyncio.wait_for(call, 4 * BOUND)
    assert time.monotonic() - begun < BOUND


async def test_a_statement_that_outlasts_its_deadline_is_ended_by_the_server(
    database: Database, database_url: str
) -> None:
    await in_time(database.read("SELECT pg_sleep(60), 'ended by the server'", timeout=0.2), DeadlineExceeded)
    await eventually(running(database_url, "ended by the server", 0))


async def test_the_deadline_is_the_statements_own_timeout_and_of_no_other(database_url: str) -> None:
    show = "SELECT current_setting('statement_timeout')"
    async with pools(database_url, readers=1, writers=1, timeout_seconds=20) as database:
        assert (await database.read(show))[0][0] == "20s"
        assert (await database.read(show, timeout=7))[0][0] in ("7s", "6999ms", "6998ms", "6997ms")
        assert (await database.read(show))[0][0] == "20s"
        async with database.transaction(3) as connection:
            assert (await connection.fetchval(show)) in ("3s", "2999ms", "2998ms")
        assert (await database.write(show))[0][0] == "20s"


async def test_the_contexts_deadline_ends_a_kernels_read_and_write(database: Database, campaign: int) -> None:
    with within(campaign):
        with until(0.3):
            await in_time(read(database, "SELECT pg_sleep(60)"), DeadlineExceeded)
        with until(0.3):

            async def slow() -> None:
                async with transaction(database) as connection:
                    await connection.execute("SELECT pg_sleep(60)")

            await in_time(slow(), DeadlineExceeded)


async def test_a_write_that_waits_for_a_lock_ends_with_its_deadline_and_writes_nothing(
    database: Database, database_url: str, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "before"})
        async with admin(database_url) as connection, connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made.id)
            with until(0.3):
                await in_time(repository.update(made.id, {"title": "after"}), DeadlineExceeded)
            await eventually(running(database_url, "WITH scope AS MATERIALIZED", 0))
        assert (await repository.get(made.id)).title == "before"


async def test_a_passed_deadline_sends_nothing(database: Database, database_url: str, campaign: int) -> None:
    with within(campaign), acting(msgspec.structs.replace(current(), deadline=0.0)):
        for call in (contents(database).create({"title": "too late"}), contents(database).get(1)):
            with pytest.raises(DeadlineExceeded):
                await call
    async with admin(database_url) as connection:
        query = "SELECT count(*) FROM master WHERE campaign_id = $1 AND name = 'too late'"
        assert await connection.fetchval(query, campaign) == 0


async def test_waiting_for_a_free_connection_counts_against_the_deadline(database_url: str) -> None:
    async with pools(database_url, readers=1, writers=1) as database:
        busy = asyncio.create_task(database.read("SELECT pg_sleep(60), 'keeps it busy'"))
        await eventually(running(database_url, "keeps it busy", 1))
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await database.read("SELECT 1", timeout=0.4)
        assert time.monotonic() - begun < 1.2, "the deadline is of the call, not of each attempt"
        async with database.transaction():
            with pytest.raises(DeadlineExceeded):
                async with database.transaction(0.2):
                    pytest.fail("there was a second connection")
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        assert (await database.read("SELECT 1"))[0][0] == 1


@pytest.mark.parametrize("way", ["read", "write", "transaction"])
async def test_a_cancelled_task_cancels_its_query_on_the_server(database_url: str, way: str) -> None:
    mark = f"cancelled {way}"

    async def call(database: Database) -> None:
        if way == "transaction":
            async with database.transaction() as connection:
                await connection.execute(f"SELECT pg_sleep(60), '{mark}'")
        else:
            await getattr(database, way)(f"SELECT pg_sleep(60), '{mark}'")

    async with pools(database_url, readers=1, writers=1) as database:
        task = asyncio.create_task(call(database))
        await eventually(running(database_url, mark, 1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(running(database_url, mark, 0))
        assert (await database.read("SELECT 1"))[0][0] == 1
        assert (await database.write("SELECT 2"))[0][0] == 2


async def test_a_cancelled_write_writes_nothing_and_frees_its_connection(database_url: str, campaign: int) -> None:
    async with pools(database_url, readers=1, writers=1) as database:
        repository = contents(database)
        with within(campaign):
            made = await repository.create({"title": "before"})
            async with admin(database_url) as connection, connection.transaction():
                await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made.id)
                tasks = [asyncio.create_task(repository.update(made.id, {"title": "after"})) for _ in range(5)]
                await eventually(running(database_url, "WITH scope AS MATERIALIZED", 1))
                for task in tasks:
                    task.cancel()
                answers = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(answer) for answer in answers} == {asyncio.CancelledError}
                await eventually(running(database_url, "WITH scope AS MATERIALIZED", 0))
            assert (await repository.update(made.id, {"body": "b"})).title == "before"
