"""A cursor of the future is refused in every epoch, by every reader; those that the log has issued are not."""

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.declare.ids import MAX_ID
from ovasabi.kernel.events.cursors import Position, cursor_of, epoch_of, packed, parse_cursor
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.events.log_end import CursorUnknown
from ovasabi.kernel.events.log_poll import end_of_log, position_of
from ovasabi.lifecycle import log_epochs, migrations, partitions
from tests.integration.kernel.fixtures import admin, caught, make_campaign, pools, within
from tests.integration.kernel.test_log_epochs import MOVES, all_events, epochs, log
from tests.integration.kernel.watching_fixtures import events, heartbeat, subscriptions, titles, watch, write

__all__ = ["log"]  # a fixture

BEFORE = "20261129161000_6c1e"
"""The migration of the epochs, before their ends were recorded."""
LOST = 1 << 32
"""More transactions than consumers got ahead of what survived of their epoch."""


async def refusals(log: Database, campaign: int, position: Position) -> list[CursorUnknown]:
    """What each reader tells of a cursor that it refuses."""
    cursor = cursor_of(position)
    with within(campaign):
        page = await caught(read_events(log, after=cursor))
    async with subscriptions(log) as hub:
        watching = await caught(anext(watch(hub, campaign, after=cursor, heartbeat_seconds=0.1)))
    for refusal in (page, watching):
        assert isinstance(refusal, CursorUnknown), (cursor, refusal)
        assert refusal.hint
    return [page, watching]


async def ends(url: str) -> dict[int, int | None]:
    """The last position of each epoch."""
    async with admin(url) as connection:
        rows = await connection.fetch("SELECT epoch, last_position FROM log_epoch ORDER BY 1")
    return {row["epoch"]: row["last_position"] for row in rows}


async def test_a_cursor_of_the_future_is_refused_in_every_epoch(log: Database) -> None:
    campaign = await make_campaign(log)
    last: list[Position] = []
    for number in range(3):
        await write(log, campaign, f"{number}")
        last.append(await end_of_log(log))
        if number < 2:
            await log_epochs.begin(log.url, "a test")
    found, known = await all_events(log, campaign), await ends(log.url)
    assert [epoch_of(position) for position in last] == list(known)
    assert list(known.values())[-1] is None, "the present epoch has no end"
    for number, (issued, id) in enumerate(last):
        left = [str(later) for later in range(number + 1, 3)]
        assert titles(await all_events(log, campaign, cursor_of((issued, id)))) == left
        async with subscriptions(log) as hub:
            watching = watch(hub, campaign, after=cursor_of((issued, id)), heartbeat_seconds=0.1)
            assert titles(await events(watching, len(left))) == left
            await heartbeat(watching)
            await watching.aclose()
        end = known[epoch_of((issued, id))] or (await end_of_log(log))[0]
        assert issued <= end
        for ahead in (1, 1_000_000_000):
            for told in await refusals(log, campaign, (end + ahead, id)):
                assert f"it is {ahead} transactions ahead of" in str(told)
    for event in found:
        await all_events(log, campaign, event.cursor)


async def test_a_cursor_of_a_later_time_is_refused_although_its_transaction_was(log: Database) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    transaction, id = await end_of_log(log)
    for _ in range(2):
        hours_ahead = id + (2 * 3_600_000 << 12)
        for position in ((1, MAX_ID), (1, hours_ahead), (transaction, MAX_ID)):
            for told in await refusals(log, campaign, position):
                assert "is ahead of the present" in str(told)
        await log_epochs.begin(log.url, "a test")


async def test_events_of_a_transaction_that_began_after_the_epoch_ended_have_cursors_of_it(log: Database) -> None:
    campaign = await make_campaign(log)
    async with admin(log.url) as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        await write(log, campaign, "a later transaction")
        await connection.execute("SELECT new_log_epoch('a test')")
    newest = (await all_events(log, campaign))[-1]
    assert epoch_of(position_of(newest)) == 0
    assert await all_events(log, campaign, newest.cursor) == []
    assert position_of(newest)[0] <= ((await ends(log.url))[0] or 0)


@pytest.mark.parametrize("why", [name for name, (statement, _) in MOVES.items() if statement])
async def test_consumers_that_got_further_than_what_survived_go_on_and_the_future_is_refused(
    log: Database, why: str
) -> None:
    statement, _ = MOVES[why]
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    transaction, id = await end_of_log(log)
    async with admin(log.url) as connection:
        await connection.execute(str(statement))
    await log_epochs.arrive(log.url)
    await write(log, campaign, "b")
    lost = cursor_of((transaction + 10_000, id))
    assert titles(await all_events(log, campaign, lost)) == ["b"]
    await refusals(log, campaign, (transaction + 2 * LOST, id))


async def test_the_ends_of_epochs_that_ended_before_the_migration_are_not_known(empty_url: str) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, BEFORE)
    async with admin(empty_url) as connection:
        for epoch in (0, 5):
            await connection.execute(f"INSERT INTO log_epoch SELECT {epoch}, 1, 1, '00000001', now(), 'a move'")
    await migrations.upgrade(empty_url)
    assert await ends(empty_url) == {0: None, 5: None}
    assert await log_epochs.arrive(empty_url) == MOVES["another server"][1]
    first, fifth, present = (await ends(empty_url)).values()
    assert (first, present, fifth is not None) == (None, None, True)
    async with pools(empty_url) as database:
        await partitions.ensure(database, 1)
        campaign = await make_campaign(database)
        _, id = await end_of_log(database)
        assert len(await all_events(database, campaign, cursor_of((packed(0, 1 << 40), id)))) > 0
        await refusals(database, campaign, (packed(5, 1 << 40), id))


async def test_the_last_position_of_the_last_possible_transaction_stays_in_its_epoch(log: Database) -> None:
    await write(log, await make_campaign(log), "a")
    async with admin(log.url) as connection:
        await connection.execute("UPDATE log_epoch SET server = server + 1")
        await connection.execute("SET session_replication_role = replica")
        newest = "(SELECT id FROM service_event ORDER BY xid DESC, id DESC LIMIT 1)"
        await connection.execute(f"UPDATE service_event SET xid = '{(1 << 48) - 1}' WHERE id = {newest}")
    await log_epochs.arrive(log.url)
    assert (await ends(log.url))[0] == (1 << 48) - 1
    assert len(await epochs(log.url)) == 2


async def test_a_page_of_the_present_epoch_reads_nothing_of_the_ends(log: Database) -> None:
    campaign = await make_campaign(log)
    await write(log, campaign, "a")
    async with admin(log.url) as connection:
        await connection.execute("REVOKE SELECT (last_position) ON log_epoch FROM ovasabi_app")
        await connection.execute("REVOKE SELECT ON log_epoch FROM ovasabi_app")
        await connection.execute("GRANT SELECT (epoch) ON log_epoch TO ovasabi_app")
    async with pools(log.url) as database:
        (newest,) = (await all_events(database, campaign))[-1:]
        assert await all_events(database, campaign, newest.cursor) == []
        assert parse_cursor(newest.cursor) == position_of(newest)
