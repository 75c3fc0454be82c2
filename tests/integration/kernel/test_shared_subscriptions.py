"""Many watchers cost what one costs; a slow one, too many, and a server that goes away harm nobody else."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.pools import Pool
from ovasabi.errors import DatabaseUnavailable, Kind
from ovasabi.kernel.events.log import Event
from ovasabi.kernel.events.log_tail import LogTail
from ovasabi.kernel.events.subscriptions import TooManyWatchers, Watch, WatcherTooSlow
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.lifecycle import migrations, partitions
from tests.integration.kernel.fixtures import admin, contents, make_campaign, pools, within
from tests.integration.kernel.merging_fixtures import counted
from tests.integration.kernel.watching_fixtures import (
    SOON,
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

TERMINATE = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'ovasabi' AND datname = current_database() AND query LIKE '%horizon%'"""


@asynccontextmanager
async def counting_polls(url: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """Pools of one connection each, and the polls of the log that they send."""
    async with counted(url) as (database, _):
        sent: list[str] = []

        def note(record: asyncpg.connection.LoggedQuery) -> None:
            if "service_event" in record.query or "horizon" in record.query:
                sent.append(record.query)

        for pool in (Pool.READ, Pool.FOLLOW_INDEX):
            async with database._connection(pool, 5) as connection:
                connection.add_query_logger(note)
        yield database, sent


async def all_titles(watches: list[Watch], last: str) -> list[list[str]]:
    """The titles that each of some watchers is given, up to the last."""
    found = await asyncio.gather(*(until(one, last) for one in watches))
    return [titles(seen) for seen in found]


async def test_a_hundred_watchers_of_a_campaign_send_as_many_polls_as_one(
    database: Database, database_url: str, campaign: int
) -> None:
    async with counting_polls(database_url) as (own, sent), subscriptions(own) as hub:
        one = watch(hub, campaign, after="now")
        await begun(one)
        more = [watch(hub, campaign, after="now") for _ in range(99)]
        for other in more:
            await begun(other)
        sent.clear()
        first = time.monotonic()
        names = [f"{n}" for n in range(10)]
        for name in names:
            await write(database, campaign, name)
            await asyncio.sleep(0.05)
        assert await all_titles([one, *more], "9") == [names] * 100
        ticks = (time.monotonic() - first) / 0.05
        assert 1 <= len(sent) <= ticks + 1, "one poll in each interval; none was full, so none was repeated at once"


async def test_watches_of_many_campaigns_share_their_polls(database: Database, database_url: str) -> None:
    campaigns = [await make_campaign(database) for _ in range(30)]
    async with counting_polls(database_url) as (own, sent), subscriptions(own) as hub:
        watches = [watch(hub, campaign, after="now") for campaign in campaigns]
        for one in watches:
            await begun(one)
        await asyncio.sleep(1.5)  # until all are idle
        sent.clear()
        first = time.monotonic()
        await asyncio.sleep(2)
        # Each of the thirty polls twice a second: separately, they would send sixty statements a second.
        assert 1 <= len(sent) <= 3 * ((time.monotonic() - first) / 0.5 + 1)
        for campaign in campaigns:
            await write(database, campaign, f"of {campaign}")
        for one, campaign in zip(watches, campaigns, strict=True):
            assert titles(await events(one, 1)) == [f"of {campaign}"]


async def test_a_watcher_that_resumes_at_the_end_needs_no_poll_of_its_own(
    database: Database, database_url: str, campaign: int
) -> None:
    async with (
        counting_polls(database_url) as (own, sent),
        subscriptions(own, slowest_seconds=600.0, quickest_seconds=600.0) as hub,
    ):
        keeper = watch(hub, campaign, after="now")
        cursor = await begun(keeper)
        sent.clear()
        for _ in range(20):
            assert await heartbeat(watch(hub, campaign, after=cursor, heartbeat_seconds=0.01)) == cursor
        assert sent == []


async def test_a_slow_reader_is_dropped_and_told_where_to_resume_and_a_fast_one_gets_all(
    database: Database, database_url: str, campaign: int
) -> None:
    async with subscriptions(database, events=10) as hub:
        fast, slow = watch(hub, campaign, after="now"), watch(hub, campaign, after="now")
        await begun(fast)
        await begun(slow)
        await write(database, campaign, "first")
        (kept,) = await events(slow, 1)
        names = [f"{n}" for n in range(30)]
        for name in names:
            await write(database, campaign, name)
            assert titles(await until(fast, name))[-1] == name
        assert len(hub._tails[campaign].watchers) == 1, "it is unsubscribed before it gets the error"
        with pytest.raises(WatcherTooSlow) as told:
            await anext(slow)
        assert told.value.cursor == kept.cursor
        assert kept.cursor in str(told.value)
        assert (told.value.kind, told.value.code) == (Kind.EXHAUSTED, "watcher_too_slow")
        with pytest.raises(StopAsyncIteration):
            await anext(slow)
        resumed = watch(hub, campaign, after=told.value.cursor)
        assert titles(await until(resumed, "29")) == names


async def test_a_buffer_is_bounded_in_bytes_and_a_single_large_event_has_room(
    database: Database, campaign: int
) -> None:
    async with subscriptions(database, bytes=20_000) as hub:
        fast, slow, narrow = (
            watch(hub, campaign, after="now", types=types) for types in (None, None, ["content:delete:v1:success"])
        )
        for one in (fast, slow, narrow):
            await begun(one)
        with within(campaign):
            large = await contents(database).create({"title": "large", "body": "x" * 50_000})
            assert titles(await events(fast, 1)) == titles(await events(slow, 1)) == ["large"]
            for name in ("a", "b", "c"):
                await contents(database).create({"title": name, "body": "x" * 9_000})
                await events(fast, 1)
            with pytest.raises(WatcherTooSlow):
                await anext(slow)
            await contents(database).delete(large.id)
        assert len(await events(narrow, 1)) == 1, "what a watcher does not want takes no room"


async def test_a_slow_reader_that_is_behind_is_not_dropped_for_what_it_has_not_come_to(
    database: Database, campaign: int
) -> None:
    names = [f"{n}" for n in range(40)]
    with within(campaign):
        await contents(database).create_many([NewEntity({"title": name}) for name in names])
    async with subscriptions(database, events=5, page=8) as hub:
        slow, fast = watch(hub, campaign), watch(hub, campaign, after="now")
        await begun(fast)
        while titles(await events(slow, 1)) != ["0"]:
            pass
        for name in ("x", "y", "z", "u", "v", "w", "last"):
            await write(database, campaign, name)
            await until(fast, name)
        assert titles(await until(slow, "last")) == [*names[1:], "x", "y", "z", "u", "v", "w", "last"]


async def test_no_more_may_watch_than_the_limits_say_and_a_freed_slot_is_reused(
    database: Database, campaign: int
) -> None:
    others = [await make_campaign(database) for _ in range(2)]
    async with subscriptions(database, watchers=4, watchers_per_campaign=2) as hub:
        held = [watch(hub, number) for number in (campaign, campaign, others[0])]
        with pytest.raises(TooManyWatchers) as refused:
            watch(hub, campaign)
        assert (refused.value.kind, refused.value.code) == (Kind.EXHAUSTED, "too_many_watchers")
        held.append(watch(hub, others[1]))
        with pytest.raises(TooManyWatchers):
            watch(hub, others[1])
        assert set(hub._tails) == {campaign, *others}
        await held[0].aclose()
        held.append(watch(hub, campaign))


async def test_a_burst_larger_than_a_page_comes_whole_and_in_order(
    database: Database, database_url: str, campaign: int
) -> None:
    async with subscriptions(database, page=16) as hub:
        live = [watch(hub, campaign, after="now") for _ in range(3)]
        for one in live:
            await begun(one)
        with within(campaign):
            await contents(database).create_many([NewEntity({"title": f"{n}"}) for n in range(500)])
        found = await asyncio.gather(*(events(one, 500) for one in live))
    log = await log_of(database_url, campaign)
    assert all([event.id for event in seen] == log[-500:] for seen in found)


async def test_watches_go_on_when_their_connections_are_terminated_again_and_again(
    database: Database, database_url: str, campaign: int
) -> None:
    async with pools(database_url, readers=2, writers=1) as own, subscriptions(own, page=5) as hub:
        live = watch(hub, campaign, after="now")
        await begun(live)
        behind = watch(hub, campaign)
        late = asyncio.create_task(until(behind, "last"))
        seen = asyncio.create_task(until(live, "last"))
        names, killed = list[str](), 0
        async with admin(database_url) as connection, asyncio.timeout(SOON):
            while len(names) < 15 or killed < 6:
                names.append(f"{len(names)}")
                await write(database, campaign, names[-1])
                killed += await connection.fetchval(TERMINATE)
                await asyncio.sleep(0.03)
        await write(database, campaign, "last")
        assert titles(await asyncio.wait_for(seen, SOON)) == [*names, "last"]
        found = await asyncio.wait_for(late, SOON)
    assert [event.id for event in found] == await log_of(database_url, campaign)


async def test_watches_outlive_a_restart_of_the_server_and_end_when_it_stays_away(server: EmbeddedServer) -> None:
    with tempfile.TemporaryDirectory(prefix="ovasabi-test-") as folder:
        own = EmbeddedServer(Path(folder) / "postgres", version=server.version, binaries=server._binaries)
        await own.start()
        try:
            await migrations.upgrade(own.url())
            async with pools(own.url(), readers=2, writers=2, timeout_seconds=5) as database:
                await partitions.ensure(database, 1)
                await outlive(own, database)
        finally:
            await own.stop()


async def outlive(own: EmbeddedServer, database: Database) -> None:
    """Watches through a restart, then through a stop."""
    campaign = await make_campaign(database)
    async with (
        subscriptions(database, patience_seconds=20) as hub,
        subscriptions(database, patience_seconds=0.5) as hasty,
    ):
        live = watch(hub, campaign, after="now", heartbeat_seconds=0.2)
        await begun(live)
        await write(database, campaign, "before")
        assert titles(await events(live, 1)) == ["before"]
        await own.stop()
        cursors = [await heartbeat(live) for _ in range(3)]
        await own.start()
        await write(database, campaign, "after")
        assert titles(await events(live, 1)) == ["after"]
        assert titles(await events(watch(hub, campaign, after=cursors[-1]), 1)) == ["after"]
        quick, early = watch(hasty, campaign, after="now", heartbeat_seconds=99), watch(hasty, campaign)
        await begun(quick)
        assert isinstance(await anext(early), Event)
        await own.stop()
        for one in (quick, watch(hasty, campaign), watch(hasty, campaign, after="now")):
            with pytest.raises(DatabaseUnavailable):
                await asyncio.wait_for(_to_the_end(one), SOON)
        await own.start()
        assert isinstance(await anext(watch(hasty, campaign)), Event), "a new watch polls again"


async def test_an_error_that_does_not_pass_ends_the_watches_at_once(
    database: Database, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(tail: LogTail) -> None:
        raise ZeroDivisionError

    async with subscriptions(database, patience_seconds=600) as hub:
        monkeypatch.setattr(LogTail, "_poll_once", broken)
        watches = [watch(hub, campaign, after="now") for _ in range(2)]
        for one in watches:
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(_to_the_end(one), SOON)
        assert hub._tails == {}
        monkeypatch.undo()
        await begun(watch(hub, campaign, after="now"))


async def _to_the_end(one: Watch) -> None:
    async for _ in one:
        pass
