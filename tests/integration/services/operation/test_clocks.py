"""Work that waits, waits no longer because the clock was set back."""

from datetime import timedelta

from ovasabi.database.connection import Database
from ovasabi.kernel.call.locks import LockHeld, acquire, release
from ovasabi.kernel.store.repository import Repository
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Operation
from ovasabi.system.operation.running import _BACK_OFF
from tests.integration.kernel.fixtures import admin, caught, within

HOUR = timedelta(hours=1)
LATER = {
    "operation_work": "UPDATE operation_work SET not_before = not_before + $2 WHERE campaign_id = $1",
    "lease": "UPDATE lease SET expires_at = expires_at + $2 WHERE campaign_id = $1",
}
"""As if the clock had been set back since."""


async def due(database: Database, campaign: int) -> bool:
    """Whether the campaign has work to do."""
    rows = await database.read("SELECT campaign_id FROM due_operations($1, 10, 1000)", ["nobody"])
    return campaign in {row["campaign_id"] for row in rows}


async def test_a_pause_and_a_lease_end_in_time_although_the_clock_is_set_back(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        values = {"kind": "contents_export", "request_digest": ""}
        operation = await Repository(database, Operation).create(values)
        await work.add(database, operation.id, "nobody", None, "{}")
        assert await due(database, campaign)
        await work.put_back(database, operation.id, _BACK_OFF.longest, counted=True)
        assert not await due(database, campaign)
        async with admin(database_url) as connection:
            await connection.execute(LATER["operation_work"], campaign, HOUR)
            assert await due(database, campaign)
            lease = await acquire(database, work.lease_name(operation.id), 10)
            assert not await due(database, campaign)
            await connection.execute(LATER["lease"], campaign, HOUR)
            assert await due(database, campaign)
            # Whoever now wants it shortens the lease, which the holder keeps for its length.
            assert isinstance(await caught(acquire(database, lease.name, 10)), LockHeld)
            assert not await due(database, campaign)
            await release(database, lease)
            assert await due(database, campaign)
            await connection.execute(LATER["lease"], campaign, HOUR)
            assert await due(database, campaign)
