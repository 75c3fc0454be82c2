"""A lock has one holder at a time, and ends with its transaction."""

import asyncio

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.locks import locked, locked_entity
from tests.integration.kernel.fixtures import contents, eventually, kinds, make_campaign, together, waiting, within


async def test_a_named_lock_has_one_holder_at_a_time(database: Database, campaign: int) -> None:
    inside, most = 0, 0

    async def enter(_: int) -> None:
        nonlocal inside, most
        async with locked(database, "counting"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            inside -= 1

    with within(campaign):
        assert kinds(await together(12, enter)) == {"NoneType": 12}
    assert most == 1


async def test_a_named_lock_is_the_campaigns_own(database: Database, campaign: int) -> None:
    other, both = await make_campaign(database), asyncio.Barrier(2)

    async def enter(number: int) -> int:
        with within(number):
            async with locked(database, "same name"):
                return await both.wait()

    # Each waits inside for the other: behind one lock they would wait for ever.
    assert sorted(await asyncio.wait_for(asyncio.gather(enter(campaign), enter(other)), 10)) == [0, 1]


async def test_a_locked_entity_is_changed_by_nobody_else_meanwhile(
    database: Database, database_url: str, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "before"})
        held, let_go = asyncio.Event(), asyncio.Event()

        async def holder() -> str:
            async with locked_entity(database, made.id):
                held.set()
                await let_go.wait()
                title = (await repository.get(made.id)).title
                await repository.update(made.id, {"title": "by the holder"}, expected_version=1)
                return title

        holding = asyncio.create_task(holder())
        await held.wait()
        other = asyncio.create_task(repository.update(made.id, {"body": "by the other"}))
        await eventually(waiting(database_url))
        assert not other.done()
        let_go.set()
        assert await holding == "before"
        assert (await other).version == 3
        assert (await repository.get(made.id)).title == "by the holder"


async def test_what_is_written_under_a_lock_is_undone_with_it(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "before"})
        for lock in (locked(database, "undone"), locked_entity(database, made.id)):
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is the lock)
                async with lock:
                    await repository.update(made.id, {"title": "after"})
                    raise ZeroDivisionError
        assert (await repository.get(made.id)).title == "before"
