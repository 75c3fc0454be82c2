"""What several callers change at the same time is all kept, or one of them is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.errors import EntityNotFound, RuleBroken, VersionConflict
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.store.rows import Change
from ovasabi.lifecycle import partitions
from tests.integration.kernel.fixtures import admin, contents, kinds, make_campaign, pools, together, within


async def test_concurrent_updates_of_different_fields_both_survive(database: Database, campaign: int) -> None:
    repository = contents(database)
    fields = [("title", "T"), ("body", "B"), ("slug", "s"), ("tags", ["t"]), ("media_urls", ["m"])]
    with within(campaign):
        for _ in range(5):
            made = await repository.create({"title": "t"})
            changes = [dict([field]) for field in fields]
            answers = await together(len(changes), lambda n, of=made, to=changes: repository.update(of.id, to[n]))
            assert kinds(answers) == {"Content": len(changes)}
            now = await repository.get(made.id)
            assert [getattr(now, name) for name, _ in fields] == [value for _, value in fields]
            assert now.version == 1 + len(changes)
            assert sorted(answer.version for answer in answers) == list(range(2, 2 + len(changes)))
            await repository.delete(made.id)


async def test_metadata_merged_concurrently_in_different_namespaces_all_survives(
    database: Database, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t", "metadata": {"service_specific": {"first": {"kept": 1}}}})
        names = [f"plugin_{n}" for n in range(20)]
        await together(
            20, lambda n: repository.update(made.id, {"metadata": {"service_specific": {names[n]: {"n": n}}}})
        )
        metadata = (await repository.get(made.id)).metadata
    wanted = {"first": {"kept": 1}} | {name: {"n": n} for n, name in enumerate(names)}
    assert metadata == {"service_specific": wanted}


async def test_no_update_is_lost_in_a_table_of_several_branches_however_often_it_was_planned(
    database: Database, database_url: str, campaign: int
) -> None:
    # A generic plan, which PostgreSQL may choose from the sixth execution on, loses rows in 18: see connection.py.
    await partitions.dedicate(database, await make_campaign(database), 0)
    async with pools(database_url, readers=1, writers=4) as narrow:
        repository = contents(narrow)
        with within(campaign):
            made = await repository.create({"title": "t"})
            for _ in range(40):
                await repository.update(made.id, {"body": "planned"})
            patches = [{"metadata": {"service_specific": {f"plugin_{n}": {"n": n}}}} for n in range(40)]
            answers = await together(40, lambda n: repository.update(made.id, patches[n]))
            assert kinds(answers) == {"Content": 40}
            now = await repository.get(made.id)
            assert (now.version, len(now.metadata["service_specific"])) == (81, 40)
        for run in (narrow.read, narrow.write):
            assert (await run("SHOW plan_cache_mode"))[0][0] == "force_custom_plan"


async def test_of_writers_that_expect_the_same_version_one_wins(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        answers = await together(20, lambda n: repository.update(made.id, {"title": f"writer {n}"}, expected_version=1))
        assert kinds(answers) == {"Content": 1, "VersionConflict": 19}
        (winner,) = (answer for answer in answers if not isinstance(answer, Exception))
        assert (await repository.get(made.id)).title == winner.title
        assert winner.version == 2
        for call in (
            repository.update(made.id, {"title": "late"}, expected_version=1),
            repository.delete(made.id, expected_version=1),
        ):
            with pytest.raises(VersionConflict):
                await call
        assert (await repository.delete(made.id, expected_version=2)).version == 3


async def test_an_event_is_written_for_each_change_that_was_made_and_for_no_other(
    database: Database, database_url: str, campaign: int
) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        await together(10, lambda n: repository.update(made.id, {"title": f"{n}"}, expected_version=1 + n // 5))
        version = (await repository.get(made.id)).version
    async with admin(database_url) as connection:
        rows = await connection.fetch(
            "SELECT version FROM service_event WHERE master_id = $1 ORDER BY version", made.id
        )
    assert [row["version"] for row in rows] == list(range(1, version + 1))


async def test_counters_are_right_under_concurrency_and_the_version_stays(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        amounts = [{"comment_count": 3}, {"reaction_count": 1}, {"comment_count": -1, "reaction_count": 1}]
        answers = await together(60, lambda n: repository.adjust(made.id, amounts[n % 3], verb="count"))
        assert set(kinds(answers)) <= {"Content", "RuleBroken"}
        now = await repository.get(made.id)
        done = [amounts[n % 3] for n, answer in enumerate(answers) if not isinstance(answer, Exception)]
        assert now.comment_count == sum(amount.get("comment_count", 0) for amount in done)
        assert now.reaction_count == sum(amount.get("reaction_count", 0) for amount in done)
        assert now.version == 1


async def test_a_counter_stops_at_its_bound_exactly(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        await repository.adjust(made.id, {"comment_count": 7}, verb="count")
        answers = await together(20, lambda _: repository.adjust(made.id, {"comment_count": -1}, verb="count"))
        assert kinds(answers) == {"Content": 7, "RuleBroken": 13}
        assert (await repository.get(made.id)).comment_count == 0
        with pytest.raises(RuleBroken) as caught:
            await repository.adjust(made.id, {"comment_count": -1}, verb="count")
        assert caught.value.field == "comment_count"


async def test_of_concurrent_deletes_one_finds_it(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        answers = await together(8, lambda _: repository.delete(made.id))
        assert kinds(answers) == {"Content": 1, "EntityNotFound": 7}
        for call in (repository.get(made.id), repository.update(made.id, {"title": "x"})):
            with pytest.raises(EntityNotFound):
                await call
        assert kinds(await together(8, lambda _: repository.restore(made.id))) == {"Content": 1, "EntityNotFound": 7}
        assert (await repository.get(made.id)).version == 3


async def test_batches_that_meet_in_other_orders_do_not_deadlock_for_good(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = [await repository.create({"title": f"{n}"}) for n in range(10)]

        async def batch(number: int) -> list[object]:
            order = made if number % 2 else made[::-1]
            answers = await repository.update_many([Change(of.id, {"body": f"{number}"}) for of in order])
            assert [getattr(answer, "id", answer) for answer in answers] == [of.id for of in order]
            return answers

        answers = await together(12, batch)
        assert kinds(answers) == {"list": 12}
        assert {of.version for of in (await repository.get_many([of.id for of in made])).values()} == {13}


async def test_one_entity_twice_in_a_batch_is_changed_twice(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        made = await repository.create({"title": "t"})
        answers = await repository.update_many([Change(made.id, {"title": "a"}), Change(made.id, {"body": "b"})])
        assert kinds(answers) == {"Content": 2}
        now = await repository.get(made.id)
    assert (now.title, now.body, now.version) == ("a", "b", 3)


async def test_a_bad_change_in_a_batch_is_refused_alone(database: Database, campaign: int) -> None:
    repository, other = contents(database), await make_campaign(database)
    with within(other):
        foreign = await repository.create({"title": "foreign"})
    with within(campaign):
        made = [await repository.create({"title": f"{n}", "slug": f"slug-{n}"}) for n in range(5)]
        answers = await repository.update_many([
            Change(made[0].id, {"title": "good"}),
            Change(made[1].id, {"slug": "slug-0"}),
            Change(made[2].id, {"author_id": 1}),
            Change(made[3].id, {"body": "b"}, expected_version=9),
            Change(foreign.id, {"title": "stolen"}),
            Change(made[4].id, {"author_id": 2**63}),
            Change(made[4].id, {"title": "good"}),
        ])  # fmt: skip
    assert [type(answer).__name__ for answer in answers] == [
        "Content", "KeyTaken", "ReferenceMissing", "VersionConflict", "EntityNotFound", "InvalidValue", "Content",
    ]  # fmt: skip
    with within(other):
        assert (await repository.get(foreign.id)).title == "foreign"


async def test_a_deadlock_is_retried_until_both_writes_are_done(database_url: str, campaign: int) -> None:
    async with (
        admin(database_url) as connection,
        _deadlocks_found_soon(connection),
        pools(database_url, readers=1, writers=2) as database,
    ):
        before = await _deadlocks(connection)
        for number in range(20):
            await _crossing(database, connection, campaign, f"{number}")
            for _ in range(10):
                if await _deadlocks(connection) > before:
                    return
                await asyncio.sleep(0.05)
    pytest.fail("there was no deadlock to retry")


async def _crossing(database: Database, connection: asyncpg.Connection, campaign: int, body: str) -> None:
    """The test takes the second row, the application's statement the first; then each wants the other's."""
    repository = contents(database)
    with within(campaign):
        one, two = [await repository.create({"title": f"{n}"}) for n in range(2)]
    await connection.execute("SET deadlock_timeout = '60s'")
    async with connection.transaction():
        await connection.execute("UPDATE master SET name = name WHERE id = $1", two.id)
        with within(campaign):
            task = asyncio.create_task(
                repository.update_many([Change(one.id, {"body": body}), Change(two.id, {"body": body})])
            )
        for _ in range(200):
            if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"):
                break
            await asyncio.sleep(0.005)
        # The application's session looks for the deadlock first, and is the one to be cancelled.
        await connection.execute("UPDATE master SET name = name WHERE id = $1", one.id)
    assert kinds(await asyncio.wait_for(task, 20)) == {"Content": 2}
    with within(campaign):
        assert {of.body for of in (await repository.get_many([one.id, two.id])).values()} == {body}


@asynccontextmanager
async def _deadlocks_found_soon(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Servers look for a deadlock after a second; by then, statements of the application no longer wait for a lock."""
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '150ms'")
    try:
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name} RESET deadlock_timeout")


async def _deadlocks(connection: asyncpg.Connection) -> int:
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    return await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


async def test_a_transaction_of_several_writes_is_all_or_nothing(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        one = await repository.create({"title": "one"})
        with pytest.raises(VersionConflict):  # noqa: PT012 (the block is the transaction)
            async with transaction(database):
                await repository.update(one.id, {"title": "changed"})
                assert (await repository.get(one.id)).title == "changed"
                await repository.update(one.id, {"title": "again"}, expected_version=1)
        assert (await repository.get(one.id)).title == "one"


async def test_a_transaction_within_another_is_undone_alone(database: Database, campaign: int) -> None:
    repository = contents(database)
    with within(campaign):
        one, two = [await repository.create({"title": "before"}) for _ in range(2)]
        async with transaction(database):
            await repository.update(one.id, {"title": "outer"})
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 (the block is the transaction)
                async with transaction(database):
                    await repository.update(two.id, {"title": "inner"})
                    raise ZeroDivisionError
        assert [(await repository.get(of.id)).title for of in (one, two)] == ["outer", "before"]
