"""A watch gives each event of its campaign once and in order, from any cursor, while others write; and nothing else."""

import asyncio
import gc
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ovasabi.database.connection import Database
from ovasabi.errors import DeadlineExceeded, OvasabiError
from ovasabi.kernel.call.context import NoCampaign, NoContext, acting, current, system_context
from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.events.cursors import cursor_of, parse_cursor
from ovasabi.kernel.events.log import Event, read_events
from ovasabi.kernel.events.log_poll import LogPage
from ovasabi.kernel.events.subscriptions import Heartbeat, Subscriptions, WatchEnded
from tests.integration.kernel.fixtures import PROPERTY, contents, eventually, make_campaign, within
from tests.integration.kernel.watching_fixtures import (
    begun,
    events,
    heartbeat,
    log_of,
    subscriptions,
    titles,
    until,
    watch,
    write,
)


async def test_a_watch_from_the_start_gives_the_log_and_then_what_is_written(
    database: Database, database_url: str, campaign: int
) -> None:
    await write(database, campaign, "a", "b", "c")
    async with subscriptions(database, page=2) as hub:
        one = watch(hub, campaign)
        assert titles(await until(one, "c"))[-3:] == ["a", "b", "c"]
        for title in ("d", "e"):
            await write(database, campaign, title)
            assert titles(await events(one, 1)) == [title]
        again = await until(watch(hub, campaign, after=""), "e")
    assert [event.id for event in again] == await log_of(database_url, campaign)
    with within(campaign):
        assert again == await read_events(database)


async def test_a_watch_from_now_begins_with_a_cursor_after_which_nothing_is_missed(
    database: Database, campaign: int
) -> None:
    await write(database, campaign, "before")
    async with subscriptions(database) as hub:
        first = watch(hub, campaign, after="now")
        cursor = await begun(first)
        await write(database, campaign, "after")
        assert titles(await events(first, 1)) == ["after"]
        assert titles(await events(watch(hub, campaign, after=cursor), 1)) == ["after"]
        second = watch(hub, campaign, after="now")
        await begun(second)
        await write(database, campaign, "later")
        assert titles(await until(second, "later"))[-1] == "later"


async def test_what_a_running_transaction_wrote_before_now_comes_when_it_commits(
    database: Database, campaign: int
) -> None:
    async with subscriptions(database) as hub:
        with within(campaign):
            async with transaction(database):
                await contents(database).create({"title": "begun before"})
                live = watch(hub, campaign, after="now", heartbeat_seconds=0.2)
                cursor = await begun(live)
                assert isinstance(await anext(live), Heartbeat)
        assert titles(await events(live, 1)) == ["begun before"]
        assert titles(await events(watch(hub, campaign, after=cursor), 1)) == ["begun before"]


async def test_a_watch_resumes_from_the_cursor_of_each_event(database: Database, campaign: int) -> None:
    await write(database, campaign, *"abcdef")
    async with subscriptions(database, page=3) as hub:
        every = await until(watch(hub, campaign), "f")
        keeper = watch(hub, campaign, after="now")
        await begun(keeper)
        for number, event in enumerate(every[:-1], 1):
            resumed = watch(hub, campaign, after=event.cursor)
            assert await events(resumed, len(every) - number) == every[number:]
            await resumed.aclose()


@pytest.mark.parametrize("page", [4, 256])
async def test_readers_that_come_and_go_among_sixteen_writers_miss_nothing_and_see_nothing_twice(
    database: Database, database_url: str, campaign: int, page: int
) -> None:
    chance, repository, writing = random.Random(11), contents(database), True

    async def writer(number: int) -> None:
        for turn in range(6):
            try:
                async with transaction(database):
                    for _ in range(chance.randint(1, 3)):
                        made = await repository.create({"title": f"{number}-{turn}"})
                        await asyncio.sleep(chance.random() * 0.02)
                        await repository.update(made.id, {"body": "changed"})
                    if chance.random() < 0.3:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                continue

    async with subscriptions(database, page=page) as hub:

        async def reader(spells: int) -> list[int]:
            """Reads on from its cursor in watches of some items each, until the writers ended and the log too."""
            seen: list[int] = []
            cursor: str | None = None
            while True:
                last = not writing
                one = watch(hub, campaign, after=cursor, heartbeat_seconds=2 if last else 0.05)
                for _ in range(10**9 if last else chance.randint(1, spells)):
                    item = await anext(one)
                    cursor = item.cursor
                    if isinstance(item, Event):
                        seen.append(item.id)
                    elif last:
                        return seen
                await one.aclose()

        with within(campaign):
            readers = [asyncio.create_task(reader(spells)) for spells in (1, 3, 10, 50)]
            await asyncio.gather(*(writer(number) for number in range(16)))
            writing = False
            found = await asyncio.wait_for(asyncio.gather(*readers), 60)
    log = await log_of(database_url, campaign)
    assert len(log) > 150
    for seen in found:
        missed, doubled = set(log) - set(seen), len(seen) - len(set(seen))
        assert (sorted(missed), doubled) == ([], 0)
        assert seen == log


@pytest.mark.parametrize("page", [5, 256])
async def test_a_watcher_whose_page_was_passed_by_the_tail_reads_on_to_where_it_joined(
    database: Database, database_url: str, campaign: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Subscriptions._read_page
    async with subscriptions(database, page=page) as hub:
        live = watch(hub, campaign, after="now")
        await begun(live)

        async def passed(hub: Subscriptions, *of: Any) -> LogPage:
            """A page that is answered only when the tail has given out what was written after it was read."""
            seen = await pages(hub, *of)
            await write(database, campaign, *"xyz")
            await until(live, "z")
            return seen

        monkeypatch.setattr(Subscriptions, "_read_page", passed)
        late = watch(hub, campaign)
        found = await until(late, "z")
        await write(database, campaign, "last")
        found += await until(late, "last")
    assert [event.id for event in found] == await log_of(database_url, campaign)


async def test_heartbeats_go_on_past_events_that_are_not_wanted_and_lose_none_that_are(
    database: Database, campaign: int
) -> None:
    wanted = "content:update:v1:success"
    ids = await write(database, campaign, *"abcdefgh")
    async with subscriptions(database, page=3) as hub:
        updates = watch(hub, campaign, types=[wanted], heartbeat_seconds=0.3)
        cursors = [await heartbeat(updates)]
        with within(campaign):
            assert await read_events(database, after=cursors[0]) == [], "all of the log was passed"
            await write(database, campaign, "i", "j")
            assert len(await read_events(database, after=cursors[0])) == 2
            while len(await read_events(database, after=cursors[-1])) > 0:
                cursors.append(await heartbeat(updates))
            await contents(database).update(ids[0], {"title": "changed"})
        (event,) = await events(updates, 1)
        assert (event.type, event.master_id) == (wanted, ids[0])
        for cursor in cursors:
            assert await events(watch(hub, campaign, after=cursor, types=[wanted]), 1) == [event]


async def test_heartbeats_of_a_watch_of_one_entity_go_past_the_events_of_others(
    database: Database, campaign: int
) -> None:
    (one,) = await write(database, campaign, "one")
    async with subscriptions(database) as hub:
        first = await events(watch(hub, campaign, entity_id=one), 1)
        await write(database, campaign, "two", "three")
        for after in (None, first[0].cursor):
            narrow = watch(hub, campaign, after=after, entity_id=one, heartbeat_seconds=0.2)
            await events(narrow, 0 if after else 1)
            with within(campaign):
                cursor = await heartbeat(narrow)
                assert await read_events(database, after=cursor) == []


async def test_heartbeat_cursors_never_go_back(database: Database, campaign: int) -> None:
    async with subscriptions(database) as hub:
        keeper = watch(hub, campaign, after="now")
        await begun(keeper)
        transaction, id = parse_cursor(await begun(watch(hub, campaign, after="now")))
        ahead = cursor_of((transaction, id + 2**33))  # about half an hour
        one = watch(hub, campaign, after=ahead, heartbeat_seconds=0.05)
        assert {await heartbeat(one) for _ in range(3)} == {ahead}


async def test_a_watch_is_narrowed_by_type_and_entity(database: Database, campaign: int) -> None:
    one, two = await write(database, campaign, "one", "two")
    async with subscriptions(database) as hub:
        of_one = watch(hub, campaign, entity_id=one)
        of_both = watch(hub, campaign, entity_id=two, types=["content:delete:v1:success"])
        assert titles(await events(of_one, 1)) == ["one"]
        with within(campaign):
            await contents(database).update(two, {"title": "x"})
            await contents(database).delete(one)
            await contents(database).delete(two)
        assert [event.type for event in await events(of_one, 1)] == ["content:delete:v1:success"]
        assert [event.master_id for event in await events(of_both, 1)] == [two]


async def test_the_errors_of_the_arguments_come_with_the_call(database: Database, campaign: int) -> None:
    async with subscriptions(database) as hub:
        for options in ({"after": "x"}, {"after": "1-"}, {"after": "NOW"}, {"types": ["x"]}, {"heartbeat_seconds": 0}):
            with pytest.raises(InvalidValue):
                watch(hub, campaign, **options)
        with pytest.raises(NoContext):
            hub.watch(after=None)
        with acting(system_context("test")), pytest.raises(NoCampaign):
            hub.watch(after=None)
        assert hub._tails == {}, "a refused watch starts nothing"


async def test_the_deadline_and_the_transaction_of_the_caller_do_not_bind_its_watch(
    database: Database, campaign: int
) -> None:
    async with subscriptions(database) as hub:
        with within(campaign) as context:
            deadline = asyncio.get_running_loop().time() + 0.2
            with acting(msgspec.structs.replace(context, deadline=deadline)):
                async with transaction(database):
                    one = watch_here = hub.watch(after=None, heartbeat_seconds=0.2)
                    await anext(watch_here)
                await asyncio.sleep(0.3)
                with pytest.raises(DeadlineExceeded):
                    await read_events(database)
                while isinstance(await anext(one), Event):
                    pass
                assert current().deadline == deadline
            await contents(database).create({"title": "after the deadline"})
            with acting(msgspec.structs.replace(context, deadline=deadline)):
                assert titles(await events(one, 1)) == ["after the deadline"]


async def test_the_campaign_is_that_of_the_call_whatever_the_reader_does_later(
    database: Database, campaign: int
) -> None:
    other = await make_campaign(database)
    async with subscriptions(database) as hub:
        one = watch(hub, campaign)
        await write(database, other, "theirs")
        await write(database, campaign, "mine")
        with within(other):
            found = await until(one, "mine")
    assert {event.campaign_id for event in found} == {campaign}


@hypothesis_settings(PROPERTY, max_examples=15)
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["write", "change", "watch", "now"])), max_size=12))
async def test_watchers_of_several_campaigns_are_each_given_their_own_log_and_nothing_else(
    database: Database, database_url: str, steps: list[tuple[int, str]]
) -> None:
    campaigns = [await make_campaign(database) for _ in range(3)]
    async with subscriptions(database, page=2) as hub:
        watches = [(watch(hub, campaign, heartbeat_seconds=0.05), campaign) for campaign in campaigns]
        whole = {one for one, _ in watches}
        for number, step in steps:
            campaign = campaigns[number]
            if step in ("watch", "now"):
                after = "now" if step == "now" else None
                watches.append((watch(hub, campaign, after=after, heartbeat_seconds=0.05), campaign))
                await begun(watches[-1][0]) if after else None
                whole |= set() if after else {watches[-1][0]}
                continue
            (made,) = await write(database, campaign, "made")
            if step == "change":
                with within(campaign):
                    await contents(database).update(made, {"title": "changed"})
        for campaign in campaigns:
            await write(database, campaign, "last")
        logs = {campaign: await log_of(database_url, campaign) for campaign in campaigns}
        for one, campaign in watches:
            found = [event.id for event in await until(one, "last")]
            assert found == (logs[campaign] if one in whole else logs[campaign][-len(found) :])


async def test_a_closed_a_cancelled_and_an_abandoned_watch_free_their_places_and_the_tail_stops(
    database: Database, campaign: int
) -> None:
    before = asyncio.all_tasks()
    async with subscriptions(database, watchers_per_campaign=1) as hub:

        async def first_event() -> None:
            async for _ in watch(hub, campaign):
                break

        async def never() -> None:
            async for _ in watch(hub, campaign, after="now", heartbeat_seconds=99):
                pass

        closed = watch(hub, campaign)
        await anext(closed)
        await closed.aclose()
        assert hub._tails == {}
        with pytest.raises(StopAsyncIteration):
            await anext(closed)
        cancelled = asyncio.create_task(never())
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert hub._tails == {}
        await first_event()
        await asyncio.sleep(0)
        assert hub._tails == {}
        watch(hub, campaign)
        gc.collect()
        await asyncio.sleep(0)
        assert hub._tails == {}
        await hub._batcher.settled()
        await asyncio.gather(*hub._ending, return_exceptions=True)

        async def at_rest() -> bool:  # as soon as the connections of what was cancelled are given back
            return asyncio.all_tasks() <= before

        await eventually(at_rest)  # although the hub is open


async def test_closing_a_watch_ends_the_task_that_waits_for_it(database: Database, campaign: int) -> None:
    async with subscriptions(database) as hub:
        one = watch(hub, campaign, after="now", heartbeat_seconds=99)
        await begun(one)
        waiting = asyncio.create_task(anext(one))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        await one.aclose()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, 10)


async def test_a_closed_hub_tells_its_watchers_where_to_resume_and_leaves_no_task(
    database: Database, campaign: int
) -> None:
    before = asyncio.all_tasks()
    await write(database, campaign, "a", "b")
    async with subscriptions(database) as hub:
        live, behind, fresh = watch(hub, campaign, after="now"), watch(hub, campaign), watch(hub, campaign)
        await begun(live)
        seen = await events(behind, 1)
        waiting = asyncio.create_task(anext(fresh))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await hub.close()
        assert asyncio.all_tasks() - before <= {waiting}
        with pytest.raises(WatchEnded):
            await waiting
        with pytest.raises(WatchEnded) as ended:
            await anext(behind)
        assert ended.value.cursor == seen[0].cursor
        assert seen[0].cursor in str(ended.value)
        with pytest.raises(WatchEnded):
            await anext(live)
        with pytest.raises(OvasabiError):
            watch(hub, campaign)
    assert asyncio.all_tasks() <= before
