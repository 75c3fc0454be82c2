"""A lease has one holder at a time, and whoever lost it writes no more."""

import asyncio
from contextlib import AbstractContextManager

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Context, Fence, acting, current
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.call.locks import Lease, LockHeld, acquire, leased, locked, release, renew
from ovasabi.kernel.call.transaction import transaction
from tests.integration.kernel.fixtures import (
    admin,
    contents,
    eventually,
    kinds,
    make_campaign,
    together,
    waiting,
    within,
)

SHORT = 0.3


def fenced(lease: Lease) -> AbstractContextManager[Context]:
    """Acts under a lease that nobody renews: as a holder that was paused."""
    return acting(msgspec.structs.replace(current(), fence=Fence(lease.name, lease.token)))


async def taken_over(database: Database, name: str) -> Lease:
    """The lease, once it has run out for its holder."""
    taken: list[Lease] = []

    async def condition() -> bool:
        try:
            taken.append(await acquire(database, name, 30))
        except LockHeld:
            return False
        return True

    await eventually(condition)
    return taken[0]


async def test_two_holders_of_a_lease_never_overlap(database: Database, campaign: int) -> None:
    inside, most, tokens = 0, 0, []

    async def enter(_: int) -> None:
        nonlocal inside, most
        for _ in range(2000):
            try:
                async with leased(database, "work", 30) as lease:
                    inside += 1
                    most = max(most, inside)
                    tokens.append(lease.token)
                    await asyncio.sleep(0.005)
                    inside -= 1
                return
            except LockHeld:
                await asyncio.sleep(0.005)
        pytest.fail("it never got the lease")

    with within(campaign):
        assert kinds(await together(8, enter)) == {"NoneType": 8}
    assert most == 1
    assert tokens == list(range(1, 9)), "the token rises with each holder"


async def test_a_lease_is_held_until_it_runs_out_and_then_taken_over_under_a_higher_token(
    database: Database, campaign: int
) -> None:
    with within(campaign):
        first = await acquire(database, "short", SHORT)
        with pytest.raises(LockHeld):
            await acquire(database, "short", SHORT)
        second = await taken_over(database, "short")
        assert second.token == first.token + 1
        with pytest.raises(LockHeld):
            await acquire(database, "short", SHORT)


async def test_of_those_who_take_a_lease_over_one_wins(database: Database, campaign: int) -> None:
    with within(campaign):
        await release(database, await acquire(database, "wanted", 30))
        answers = await together(12, lambda _: acquire(database, "wanted", 30))
    assert kinds(answers) == {"Lease": 1, "LockHeld": 11}


async def test_a_paused_holders_late_writes_are_refused(database: Database, database_url: str, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        lease = await acquire(database, "paused", SHORT)
        with fenced(lease):
            await repository.update(made.id, {"title": "in time"})
        await taken_over(database, "paused")
        with fenced(lease):
            for write in (
                repository.create({"title": "late"}),
                repository.create({"title": "late"}, key="late"),
                repository.update(made.id, {"title": "late"}),
                repository.adjust(made.id, {"comment_count": 1}, verb="late"),
                repository.delete(made.id),
                acquire(database, "another", 30),
            ):
                with pytest.raises(LeaseLost):
                    await write
            with pytest.raises(LeaseLost):
                async with transaction(database):
                    pytest.fail("the transaction began")
            with pytest.raises(LeaseLost):
                async with locked(database, "beneath"):
                    pytest.fail("the lock was had")
            assert (await repository.get(made.id)).title == "in time", "reading is not refused"
    async with admin(database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM service_event WHERE master_id = $1", made.id) == 2
        names = await connection.fetch("SELECT name FROM master WHERE campaign_id = $1 AND type = 'content'", campaign)
        assert [row["name"] for row in names] == ["in time"]


async def test_a_take_over_waits_for_the_holders_write_that_is_under_way(
    database: Database, database_url: str, campaign: int
) -> None:
    repository, let_go, begun = contents(database), asyncio.Event(), asyncio.Event()

    async def holder(lease: Lease) -> None:
        with fenced(lease):
            async with transaction(database):
                begun.set()
                await let_go.wait()
                await repository.create({"title": "in time"})

    with within(campaign):
        lease = await acquire(database, "overtaken", SHORT)
        holding = asyncio.create_task(holder(lease))
        await begun.wait()
        taking = asyncio.create_task(taken_over(database, "overtaken"))
        await eventually(waiting(database_url))
        assert not taking.done()
        let_go.set()
        await holding
        assert (await taking).token == lease.token + 1


async def test_a_renewed_lease_outlasts_its_first_time(database: Database, campaign: int) -> None:
    with within(campaign):
        lease = await acquire(database, "renewed", 6 * SHORT)
        for _ in range(9):
            await asyncio.sleep(SHORT)
            await renew(database, lease)
            with pytest.raises(LockHeld):
                await acquire(database, "renewed", SHORT)
        await taken_over(database, "renewed")
        with pytest.raises(LeaseLost):
            await renew(database, lease)


async def test_a_lease_is_renewed_in_the_background_while_its_block_runs(database: Database, campaign: int) -> None:
    with within(campaign):
        async with leased(database, "background", SHORT) as lease:
            await asyncio.sleep(SHORT * 3)
            with pytest.raises(LockHeld):
                await acquire(database, "background", SHORT)
            await contents(database).create({"title": "still ours"})
        assert (await acquire(database, "background", SHORT)).token == lease.token + 1


async def test_a_lease_that_ran_out_cannot_be_renewed(database: Database, campaign: int) -> None:
    with within(campaign):
        lease = await acquire(database, "late", 0.05)
        await asyncio.sleep(0.15)
        with pytest.raises(LeaseLost):
            await renew(database, lease)


async def test_a_release_frees_at_once_and_never_the_next_holders_lease(database: Database, campaign: int) -> None:
    with within(campaign):
        first = await acquire(database, "freed", 30)
        await release(database, first)
        second = await acquire(database, "freed", 30)
        assert second.token == first.token + 1
        await release(database, first)
        with pytest.raises(LockHeld):
            await acquire(database, "freed", 30)


async def test_a_block_that_fails_or_is_cancelled_gives_its_lease_back(database: Database, campaign: int) -> None:
    entered = asyncio.Event()

    async def forever() -> None:
        async with leased(database, "broken", 30):
            entered.set()
            await asyncio.Event().wait()

    with within(campaign):
        with pytest.raises(ZeroDivisionError):
            async with leased(database, "broken", 30):
                raise ZeroDivisionError
        task = asyncio.create_task(forever())
        await entered.wait()
        task.cancel()
        assert kinds(await asyncio.gather(task, return_exceptions=True)) == {"CancelledError": 1}
        assert (await acquire(database, "broken", 30)).token == 3


async def test_a_lease_is_the_campaigns_own(database: Database, campaign: int) -> None:
    other = await make_campaign(database)
    for number in (campaign, other):
        with within(number):
            assert (await acquire(database, "one name", 30)).token == 1


async def moved(url: str, campaign: int, seconds: float) -> None:
    """Sets the clock back, as far as the leases of a campaign can tell: they last longer by that much."""
    async with admin(url) as connection:
        longer = "UPDATE lease SET expires_at = expires_at + make_interval(secs => $2) WHERE campaign_id = $1"
        await connection.execute(longer, campaign, seconds)


async def test_a_lease_does_not_outlast_its_own_length_when_the_clock_is_set_back(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        lease = await acquire(database, "dead", SHORT)
        await moved(database_url, campaign, 3600)
        with pytest.raises(LockHeld):
            await acquire(database, "dead", SHORT)
        await asyncio.sleep(SHORT / 3)
        with pytest.raises(LockHeld):  # it is shortened once, not each time that somebody asks
            await acquire(database, "dead", SHORT)
        assert (await taken_over(database, "dead")).token == lease.token + 1


async def test_a_lease_that_was_released_is_free_also_when_the_clock_is_set_back(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        await release(database, await acquire(database, "free", 30))
        await moved(database_url, campaign, 3600)
        await acquire(database, "free", 30)


async def test_a_living_holder_keeps_its_lease_when_the_clock_is_set_back(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        async with leased(database, "alive", SHORT) as lease:
            await moved(database_url, campaign, 3600)
            for _ in range(12):
                await asyncio.sleep(SHORT / 6)
                with pytest.raises(LockHeld):
                    await acquire(database, "alive", SHORT)
            await renew(database, lease)
