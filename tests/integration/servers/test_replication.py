"""The replication of the platform's rows: what `ovasabi status` tells if it fails, and what `ovasabi migrate` mends."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.errors import StartError
from ovasabi.settings import Settings
from tests.integration.kernel.fixtures import admin, eventually
from tests.integration.servers.conftest import OTHER, Place
from tests.integration.servers.restoring_fixtures import Installation, installed, soon

REFUSE = "ALTER TABLE api_key ADD CONSTRAINT refused CHECK ({}) NOT VALID"
SLOTS = "FROM pg_replication_slots WHERE database = current_database()"
ALLOW = "ALTER TABLE api_key DROP CONSTRAINT IF EXISTS refused"


@contextlib.asynccontextmanager
async def _refusing(of: Installation, check: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Lets the other server refuse keys that a check forbids, until what it gives is called."""
    async with admin(of.shard) as connection:
        await connection.execute(REFUSE.format(check))

        async def allow() -> None:
            await connection.execute(ALLOW)

        try:
            yield allow
        finally:
            await allow()


@pytest_asyncio.fixture(scope="module")
async def of(place: Place) -> AsyncIterator[Installation]:
    """An installation of the module's own on both servers."""
    async with installed(place, place.folder) as made:
        yield made


async def test_rows_that_are_refused_again_and_again_are_told_until_they_arrive(of: Installation) -> None:
    async with _refusing(of, "name <> 'test'") as allow:
        await of.key()
        report = await soon(of.status, "failing (applying failed")
        assert not report["ready"]
        assert f"log of server {OTHER}" in report["next_step"]
        for _ in range(5):
            report = await of.status()
            assert "failing" in report["servers"][str(OTHER)], "not even while the worker is started again"
        refused = await of.run("migrate")
        assert refused.returncode == 1
        assert f"do not arrive at server {OTHER}: replication failing (applying failed" in refused.stderr
        await allow()
    await of.agree()
    assert (await soon(of.status, "running"))["ready"]


async def test_a_first_copy_that_fails_is_told_and_completed_later(of: Installation) -> None:
    key = await of.key()
    await of.leave()
    async with admin(of.shard) as connection:
        await connection.execute("DELETE FROM api_key")
    async with _refusing(of, f"prefix <> '{key}'") as allow:
        refused = await of.run("migrate")
        assert refused.returncode == 1
        assert "replication failing (copying failed" in refused.stderr
        assert "failing" in (await of.status())["servers"][str(OTHER)]
        assert not (await of.status())["ready"]
        await allow()
    await soon(of.status, "running")
    await of.agree()


async def _gap(of: Installation, break_it: str, at: str, reason: str, *, serves: bool) -> None:
    """What was changed while the replication was broken arrives after `migrate`."""
    async with admin(at) as connection:
        await connection.execute(break_it)
    user, key = await of.user(), await of.key()
    report = await soon(of.status, reason)
    assert (report["ready"], report["next_step"]) == (False, "Run: ovasabi migrate")
    served = contextlib.nullcontext() if serves else pytest.raises(StartError, match="does not get the platform's rows")
    with served:
        await runtime.check(of.home, Settings(home=of.folder, shards=f"{OTHER}={of.shard}"))
    await of.migrate()
    await of.agree()
    assert (await of.status())["ready"], (user, key)


async def test_a_subscription_that_was_disabled_is_told_when_it_is_served_and_goes_on(
    of: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    await _gap(of, "ALTER SUBSCRIPTION ovasabi_platform DISABLE", of.shard, "disabled", serves=True)
    told = f"server {OTHER} gets no new rows of the platform: its subscription is disabled. Run: ovasabi migrate"
    assert told in [record.getMessage() for record in caplog.records]


async def test_a_publication_that_was_dropped_is_made_again(of: Installation) -> None:
    await _gap(of, "DROP PUBLICATION ovasabi_platform", of.home, "failing (home does not publish them)", serves=False)


async def test_a_table_that_was_not_published_for_a_while_is_copied_again(of: Installation) -> None:
    dropped = "ALTER PUBLICATION ovasabi_platform DROP TABLE api_key"
    await _gap(of, dropped, of.home, "failing (home does not publish api_key)", serves=True)


async def test_a_slot_that_is_missing_at_home_is_made_again(of: Installation) -> None:
    async with admin(of.shard) as shard, admin(of.home) as home:
        await shard.execute("ALTER SUBSCRIPTION ovasabi_platform DISABLE")

        async def unused() -> bool:
            return not await home.fetchval(f"SELECT bool_or(active) {SLOTS}")

        await eventually(unused)
        await home.execute(f"SELECT pg_drop_replication_slot(slot_name) {SLOTS}")
        await shard.execute("ALTER SUBSCRIPTION ovasabi_platform ENABLE")
    await _gap(of, "SELECT 1", of.home, "failing (its replication slot is missing at home)", serves=False)


async def test_a_server_that_cannot_reach_home_is_told_and_follows_it_to_another_address(of: Installation) -> None:
    unreachable = of.home.replace("port=5432", "port=5433")
    statement = f"ALTER SUBSCRIPTION ovasabi_platform CONNECTION '{unreachable}'"
    async with admin(of.shard) as connection:
        await connection.execute(statement)
    report = await soon(of.status, "not running")
    assert not report["ready"]
    await of.migrate()
    await of.arrives(await of.user())
    assert (await of.status())["ready"]


async def test_what_arrives_from_home_replaces_what_a_server_has(of: Installation) -> None:
    async with admin(of.home) as home, admin(of.shard) as shard:
        key = "INSERT INTO api_key (prefix, digest, name, campaign_id, role) VALUES ('twice', '\\x00', $1, 0, 'reader')"
        await shard.execute(key, "by hand")
        await home.execute(key, "at home")
    await of.agree()
    assert await of.value(of.shard, "SELECT name FROM api_key WHERE prefix = 'twice'") == "at home"
