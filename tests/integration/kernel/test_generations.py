"""A generation of a campaign ends with the first event that is committed in it, in whichever order transactions end."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.scope import scope_of
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.declare.entity import STREAMS
from ovasabi.kernel.search import generations as module
from ovasabi.kernel.search.generations import _SQL, MAX_AGE_SECONDS, Generations, _months
from ovasabi.services.content.entity import Content
from tests.integration.kernel.cache_fixtures import Clock, overheard, unfinished
from tests.integration.kernel.fixtures import admin, contents, make_campaign, month_before, open_month, pools, within
from tests.integration.kernel.merging_fixtures import events_of
from tests.integration.kernel.test_merged_plans import nodes


async def write(database: Database, campaign: int, title: str = "x") -> Content:
    """A content; its event with it."""
    with within(campaign):
        return await contents(database).create({"title": title})


class Watched:
    """The changes of one campaign, poll by poll."""

    def __init__(self, database: Database, campaign: int) -> None:
        self._changes, self._campaign, self._last = Generations(database), campaign, 0

    async def changed(self) -> bool:
        """Whether a poll finds a change since the last one."""
        before, self._last = self._last, await self._changes.generation(self._campaign)
        assert self._last >= before
        return self._last != before


async def test_each_kind_of_write_begins_a_generation_and_nothing_else_does(database: Database, campaign: int) -> None:
    changes, repository = Watched(database, campaign), contents(database)
    await changes.changed()
    made = await write(database, campaign)
    assert await changes.changed()
    assert not await changes.changed()
    with within(campaign):
        for call in (
            lambda: repository.update(made.id, {"body": "new"}),
            lambda: repository.adjust(made.id, {"comment_count": 1}, verb="count"),
            lambda: repository.delete(made.id),
            lambda: repository.restore(made.id),
        ):
            await call()
            assert await changes.changed()
        await repository.get(made.id)
    assert not await changes.changed()
    await write(database, await make_campaign(database))
    assert not await changes.changed(), "it was another campaign's"


async def test_a_transaction_that_was_running_at_the_last_look_is_seen_when_it_ends(
    database: Database, database_url: str, campaign: int
) -> None:
    """Others with larger ids were seen before: whoever asks for larger ids only would never see it."""
    changes = Watched(database, campaign)
    await changes.changed()
    async with unfinished(database, campaign) as does:
        early = await does(lambda: contents(database).create({"title": "early"}))
        later = await write(database, campaign)
        assert await changes.changed(), "the later one is seen"
        assert not await changes.changed()
    events = await events_of(database_url, early.id, later.id)
    assert [event["master_id"] for event in events] == [early.id, later.id], "the early one has the lower id"
    assert await changes.changed()
    assert not await changes.changed()


async def test_a_transaction_that_had_written_nothing_here_by_the_last_look_is_seen_too(
    database: Database, campaign: int
) -> None:
    changes, other = Watched(database, campaign), await make_campaign(database)

    async def here() -> None:
        with within(campaign):
            await contents(database).create({"title": "after the look"})

    async with unfinished(database, other) as does:
        await does(lambda: contents(database).create({"title": "it has an id"}))
        await write(database, campaign)
        await changes.changed()
        await does(here)
        assert not await changes.changed(), "it is not committed"
    assert await changes.changed()


async def test_a_transaction_that_is_undone_changes_nothing(database: Database, campaign: int) -> None:
    changes = Watched(database, campaign)
    await changes.changed()
    with within(campaign), suppress(ZeroDivisionError):
        async with transaction(database):
            await contents(database).create({"title": "undone"})
            raise ZeroDivisionError
    await write(database, await make_campaign(database))
    assert not await changes.changed()


async def test_where_very_many_transactions_run_each_is_still_seen(
    database: Database, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_RUNNING", 0)
    changes = Watched(database, campaign)
    await changes.changed()
    async with unfinished(database, campaign) as does:
        await does(lambda: contents(database).create({"title": "early"}))
        await write(database, campaign)
        assert await changes.changed()
    assert await changes.changed()
    assert not await changes.changed()


async def test_callers_of_many_campaigns_share_a_poll(database: Database, database_url: str) -> None:
    campaigns = [await make_campaign(database) for _ in range(8)]
    async with overheard(database_url) as (own, sent):
        changes = Generations(own)
        with within(0):
            before = await asyncio.gather(*(changes.generation(campaign) for campaign in campaigns))
            assert sent.counts() == (1, 0, 0), "nothing was known of them"
            await write(database, campaigns[3])
            numbers = await asyncio.gather(*(changes.generation(campaign) for campaign in campaigns * 5))
            assert sent.counts() == (1, 1, 0)
    same = [new == old for new, old in zip(numbers, before * 5, strict=True)]
    assert same == [place != 3 for place in range(8)] * 5


async def test_while_nothing_at_all_is_committed_the_log_is_not_asked(
    database: Database, database_url: str, campaign: int
) -> None:
    async with overheard(database_url) as (own, sent):
        changes = Generations(own)
        first = await changes.generation(campaign)
        sent.clear()
        looks = []
        for _ in range(20):
            assert await changes.generation(campaign) == first
            looks.append(sent.counts())
        # The server's own work may have been a transaction, but not each time.
        assert (1, 0, 0) in looks
        await write(database, await make_campaign(database))
        assert await changes.generation(campaign) == first
        assert sent.counts() == (1, 1, 0)


async def test_after_a_minute_without_a_look_nothing_is_known_and_the_log_is_not_asked(
    database: Database, database_url: str, campaign: int
) -> None:
    clock = Clock()
    async with overheard(database_url) as (own, sent):
        changes = Generations(own, clock)
        first = await changes.generation(campaign)
        clock.now += MAX_AGE_SECONDS - 1
        assert await changes.generation(campaign) == first
        clock.now += MAX_AGE_SECONDS
        await write(database, campaign)
        sent.clear()
        assert await changes.generation(campaign) > first
        assert sent.counts() == (1, 0, 0)


async def test_a_campaign_that_was_forgotten_never_gets_an_old_number_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CAMPAIGNS", 2)
    campaigns, changes = [await make_campaign(database) for _ in range(3)], Generations(database)
    numbers = [await changes.generation(campaign) for campaign in (*campaigns, campaigns[0])]
    assert len(set(numbers)) == 4
    assert numbers == sorted(numbers)


async def test_a_look_that_fails_or_is_given_up_leaves_what_was_known(database: Database, database_url: str) -> None:
    campaign = await make_campaign(database)
    async with pools(database_url, readers=1, writers=1) as own:
        changes = Generations(own)
        first = await changes.generation(campaign)
        await write(database, campaign)
        given_up = asyncio.create_task(changes.generation(campaign))
        for _ in range(3):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        await own.close()
        with pytest.raises(DatabaseUnavailable):
            await changes.generation(campaign)
        await own.open()
        assert await changes.generation(campaign) > first, "the write of then is still news"


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "analyzed"])
async def test_a_poll_touches_two_months_of_a_stream_at_most_and_follows_its_index(
    database: Database, database_url: str, campaign: int, analyzed: bool
) -> None:
    for distance in (1, 2, 3):
        await open_month(database, month_before(distance))
    await asyncio.gather(*(write(database, campaign, f"{n}") for n in range(300)))
    async with admin(database_url) as connection:
        snapshot = await connection.fetchval("SELECT pg_current_snapshot()::text")
        await connection.execute("BEGIN" + ("; ANALYZE service_event" if analyzed else ""))
        await connection.execute(f"SET ROLE {APP_ROLE}; SET plan_cache_mode = force_custom_plan; SET jit = off")
        await connection.execute("SET enable_sort = off; SET enable_bitmapscan = off; SET enable_seqscan = off")
        first = snapshot.split(":")[1]
        now = datetime.now(UTC)
        args = [scope_of(campaign), [campaign], [first], [first], list(STREAMS), *_months([now, now])]
        plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {_SQL['changed']}", *args))
        leaves = await leaves_of(connection)
        await connection.execute("ROLLBACK")
    scans = [node for node in nodes(plan) if node.get("Relation Name", "").startswith("service_event")]
    assert 1 <= len(scans) <= 2 * len(STREAMS) < len(leaves)
    months = {f"{months:%Y%m}" for months in _months([now])}
    assert {scan["Relation Name"][-6:] for scan in scans} <= months
    for scan in scans:
        assert scan["Node Type"] == "Index Scan", scan
        assert "campaign_id_xid" in scan["Index Name"], scan
        assert "xid >= " in scan["Index Cond"], scan
        assert "campaign_id" in scan["Index Cond"], scan
        assert "xid <= " in scan["Index Cond"], scan


async def leaves_of(connection: asyncpg.Connection) -> list[str]:
    """The leaves of the event log."""
    rows = await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^service_event_.*_[0-9]{6}$'")
    return [row["relname"] for row in rows]
