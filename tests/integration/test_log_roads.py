"""The log survives every road to another server, tried with PostgreSQL's own tools: complete, and consumers go on."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.call.errors import LogArriving
from ovasabi.lifecycle import log_epochs, log_holders
from tests.integration.kernel.fixtures import eventually, pools
from tests.integration.kernel.watching_fixtures import titles, write
from tests.integration.roads_fixtures import DATABASE, Machine, Server, arrived, departing, events_after, machine

OTHER_SERVER = "The database is on another server."
OTHER_TIMELINE = "The server continues on another timeline: it was restored, or its standby took over."
FOREIGN_EVENTS = "The log has events from another server."
HOUSEKEEPING = "alembic_version, sql_object, entity_type, log_epoch"
"""What each database that was migrated by itself has already."""


@pytest_asyncio.fixture
async def here() -> AsyncIterator[Machine]:
    """A machine for the servers of a test."""
    async with machine() as found:
        yield found


versions = pytest.mark.parametrize("version", ["18", "15"])


@versions
async def test_a_dump_restored_into_another_server(here: Machine, version: str) -> None:
    old, new = await here.migrated("old", version), here.server("new", version)
    journey = await departing(old)
    dump = here.folder / "dump"
    await old.tool("pg_dump", *old.to(), "--format=directory", f"--file={dump}")
    await old.stop()
    await new.create()
    await new.start()
    await new.run(f"CREATE DATABASE {DATABASE}", database="postgres")
    await ensure_roles(new.url())
    await new.tool("pg_restore", *new.to(), "--exit-on-error", str(dump))
    await arrived(new, journey, reason=OTHER_SERVER)


async def upgraded(here: Machine, old: Server, new: Server) -> bool:
    """Runs `pg_upgrade`; false if PostgreSQL refuses because the new release is of an earlier date than the old one."""
    try:
        await new.tool(
            "pg_upgrade", f"--old-bindir={old.binaries}", f"--old-datadir={old.data}", f"--new-datadir={new.data}",
            "--username=postgres", f"--socketdir={here.folder}",
            "--old-options=-c max_locks_per_transaction=512", "--new-options=-c max_locks_per_transaction=512",
        )  # fmt: skip
    except AssertionError:
        reasons = [log.read_text() for log in new.data.glob("pg_upgrade_output.d/*/log/*.log")]
        # Releases since November 2026 (15.20) keep this with each column; those before them do not know it.
        if not any('unrecognized parameter "pg_attver"' in reason for reason in reasons):
            raise
        return False
    return True


@pytest.mark.parametrize(("before", "after"), [("18", "18"), ("15", "18"), ("15", "15")])
async def test_pg_upgrade(here: Machine, before: str, after: str) -> None:
    old, new = await here.migrated("old", before), here.server("new", after)
    journey = await departing(old)
    await old.stop()
    await new.create()
    if await upgraded(here, old, new):
        await new.start()
        await arrived(new, journey, reason=OTHER_SERVER)
    else:
        assert before != after
        await old.start()
        await arrived(old, journey, reason=None)


async def standby_of(primary: Server, standby: Server) -> None:
    """Starts a standby that follows its primary."""
    await primary.tool(
        "pg_basebackup", *primary.to(""), f"--pgdata={standby.data}", "--checkpoint=fast", "--write-recovery-conf"
    )
    await standby.start()


@versions
async def test_a_standby_that_takes_over(here: Machine, version: str) -> None:
    primary, standby = await here.migrated("primary", version), here.server("standby", version)
    await standby_of(primary, standby)
    journey = await departing(primary)
    await primary.stop()  # which waits until the standby has everything
    await standby.tool("pg_ctl", f"--pgdata={standby.data}", "--wait", "promote")
    await arrived(standby, journey, reason=OTHER_TIMELINE)


@versions
async def test_a_standby_that_takes_over_without_the_last_transactions(here: Machine, version: str) -> None:
    primary, standby = await here.migrated("primary", version), here.server("standby", version)
    journey = await departing(primary)
    await primary.tool("pg_basebackup", *primary.to(""), f"--pgdata={standby.data}", "--checkpoint=fast")
    async with pools(primary.url()) as database:
        await write(database, journey.campaign, *(f"lost {number}" for number in range(20)))
        lost = await events_after(database, journey.campaign, journey.end)
    await primary.stop()
    (standby.data / "standby.signal").touch()
    await standby.start()
    await standby.tool("pg_ctl", f"--pgdata={standby.data}", "--wait", "promote")
    assert await log_epochs.arrive(standby.url()) == OTHER_TIMELINE
    async with pools(standby.url()) as database:
        await write(database, journey.campaign, "new")
        for event in lost:  # the consumer has seen what no longer exists, and misses nothing that is new
            found = await events_after(database, journey.campaign, event.cursor)
            assert [each.payload["title"] for each in found] == ["new"]
    await arrived_after_loss(standby)


async def arrived_after_loss(server: Server) -> None:
    """A second start on the same timeline begins no other epoch."""
    assert await log_epochs.arrive(server.url()) is None


@pytest.mark.parametrize("schema", ["dumped", "migrated"])
@versions
async def test_a_logical_copy(here: Machine, version: str, schema: str) -> None:
    old = await here.migrated("old", version, wal_level="logical")
    journey = await departing(old)
    if schema == "dumped":
        new = here.server("new", version)
        await new.create()
        await new.start()
        await new.run(f"CREATE DATABASE {DATABASE}", database="postgres")
        await ensure_roles(new.url())
        file = here.folder / "schema.sql"
        await old.tool("pg_dump", *old.to(), "--schema-only", f"--file={file}")
        await new.tool("psql", *new.to(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={file}")
    else:
        new = await here.migrated("new", version)
        await log_epochs.arrive(new.url())
    await copied(old, new, everything=schema == "dumped")
    with pytest.raises(LogArriving):
        await log_epochs.arrive(new.url())
    await old.run("SELECT pg_logical_emit_message(true, '', '')")
    await new.run("ALTER SUBSCRIPTION log_copy DISABLE", "ALTER SUBSCRIPTION log_copy SET (slot_name = NONE)")
    await old.stop()
    await new.run("DROP SUBSCRIPTION log_copy")
    await arrived(new, journey, reason=OTHER_SERVER if schema == "dumped" else FOREIGN_EVENTS)


async def copied(old: Server, new: Server, *, everything: bool) -> None:
    """Copies the tables by a publication and a subscription, and waits until all have been copied."""
    publish = "FOR ALL TABLES"
    if not everything:
        tables = (
            "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            f"AND relkind IN ('r', 'p') AND NOT relispartition AND NOT relname = ANY ('{{{HOUSEKEEPING}}}')"
        )
        publish = f"FOR TABLE {await old.value(tables)}"
    await old.run(f"CREATE PUBLICATION log_copy {publish} WITH (publish_via_partition_root = true)")
    source = f"host={old.socket} user=postgres dbname={DATABASE}"
    # As the tables' owner, which is the default since PostgreSQL 16, a subscription may not pass row-level security.
    option = "" if new.version == "15" else " WITH (run_as_owner = true)"
    await new.run(f"CREATE SUBSCRIPTION log_copy CONNECTION '{source}' PUBLICATION log_copy{option}")

    async def is_complete() -> bool:
        return bool(await new.value("SELECT count(*) > 5 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel"))

    await eventually(is_complete, 60)


@versions
async def test_a_prepared_transaction_holds_the_log_back_and_a_replication_slot_does_not(
    here: Machine, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_holders, "TOLD_AFTER_SECONDS", 0.0)
    server = await here.migrated("one", version, max_prepared_transactions="5", wal_level="logical")
    journey = await departing(server)
    await server.run("SELECT pg_create_logical_replication_slot('old', 'pgoutput')")
    async with pools(server.url()) as database:
        await write(database, journey.campaign, "read")
        assert titles(await events_after(database, journey.campaign, journey.end)) == ["read"]
        await server.run("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'forgotten'")
        await write(database, journey.campaign, "held")
        assert titles(await events_after(database, journey.campaign, journey.end)) == ["read"]
        (holder,) = await log_holders.holders(database.read)
        assert str(holder).startswith(f"prepared transaction 'forgotten' in database {DATABASE} for ")
        await server.run(str(holder).rpartition("to end it: ")[2])
        assert titles(await events_after(database, journey.campaign, journey.end)) == ["read", "held"]
        assert await log_holders.holders(database.read) == []
