"""What belongs to a transaction or a lease shares its statement with nobody, and its deadline reaches PostgreSQL."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import DeadlineExceeded
from ovasabi.kernel.call.context import Fence, acting, system_context
from ovasabi.kernel.call.errors import Contended, EntityNotFound
from ovasabi.kernel.call.locks import acquire, leased, release
from ovasabi.kernel.call.transaction import transaction
from tests.integration.kernel.fixtures import admin, contents, kinds, make_campaign, together, within
from tests.integration.kernel.merging_fixtures import counted, some, written

pytestmark = pytest.mark.usefixtures("database")  # it made the months


async def test_a_call_in_a_transaction_sees_its_own_writes_and_is_undone_with_it(database_url: str) -> None:
    async with counted(database_url) as (database, sent):
        campaign, repository = await make_campaign(database), contents(database)
        with within(campaign):
            kept = await repository.create({"title": "kept"})
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is the transaction)
                async with transaction(database):
                    sent.clear()
                    made = [await repository.create({"title": f"{n}"}) for n in range(3)]
                    assert await repository.get(made[0].id) == made[0]
                    assert (await repository.update(kept.id, {"title": "changed"})).version == 2
                    await repository.delete(made[1].id)
                    await asyncio.sleep(0)
                    assert len([text for text in sent if "campaigns', $1" in text]) == 6, "each by itself"
                    assert await written(database_url, campaign) == {kept.id: "kept"}, "nobody else sees it"
                    raise ZeroDivisionError
            assert await repository.get(kept.id) == kept
            with pytest.raises(EntityNotFound):
                await repository.get(made[0].id)


async def test_the_deadline_of_a_call_that_stands_alone_is_the_limit_of_its_statement(database_url: str) -> None:
    async with counted(database_url) as (database, sent), admin(database_url) as connection:
        campaign = await make_campaign(database)
        made, repository = await some(database, [campaign], 2), contents(database)
        with within(campaign):
            lease = await acquire(database, "job", 30)
        fence = Fence(lease.name, lease.token)

        def soon(seconds: float, fence: Fence | None = None) -> Any:
            deadline = asyncio.get_running_loop().time() + seconds
            return acting(msgspec.structs.replace(system_context("test", campaign), deadline=deadline, fence=fence))

        sent.clear()
        with soon(20, fence):
            changed = await together(2, lambda n: repository.update(made[n].id, {"body": "mine"}))
        assert kinds(changed) == {"Content": 2}
        limits = [text for text in sent if text.startswith("SET LOCAL statement_timeout = ")]
        assert [10_000 < int(text.partition(";")[0].rpartition(" ")[2]) <= 20_000 for text in limits] == [True, True]
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", made[0].id)
            with soon(0.3, fence), pytest.raises((DeadlineExceeded, Contended)):  # whichever comes first
                await repository.update(made[0].id, {"title": "late"})
            with soon(0.3), pytest.raises((DeadlineExceeded, asyncpg.QueryCanceledError)):
                async with transaction(database):
                    await repository.update(made[0].id, {"title": "late"})
        with soon(-1), pytest.raises(DeadlineExceeded):
            await repository.create({"title": "late"})
        with within(campaign):
            assert (await repository.get(made[0].id)).title == made[0].title


async def test_calls_under_a_lease_are_behind_its_check_and_those_beside_it_are_not(database: Database) -> None:
    campaign = await make_campaign(database)
    repository = contents(database)
    with within(campaign):
        async with leased(database, "job", 30) as lease:
            made = await together(4, lambda n: repository.create({"title": f"{n}"}))
            assert kinds(made) == {"Content": 4}
            with within(campaign):  # somebody else takes it over
                await release(database, lease)
                assert (await acquire(database, "job", 30)).token == lease.token + 1
            lost = await together(4, lambda n: repository.update(made[n].id, {"title": "late"}))
            lost += await together(2, lambda n: repository.create({"title": "late"}))
            assert kinds(lost) == {"LeaseLost": 6}
            with within(campaign):
                beside = await together(4, lambda n: repository.update(made[n].id, {"title": "beside"}))
        assert kinds(beside) == {"Content": 4}
        assert {of.version for of in (await repository.get_many([of.id for of in made])).values()} == {2}
