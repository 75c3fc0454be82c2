"""What the application's role may not do, whatever statement it runs: read or forge keys, events and partitions."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.roles import APP_ROLE
from ovasabi.database.session import open_session
from ovasabi.errors import StartError
from ovasabi.kernel.call.context import Role
from ovasabi.security.keys import Keyring, Unauthenticated, create_key, list_keys, revoke_key
from tests.integration.kernel.fixtures import admin

FORBIDDEN = {
    "the keys are read": "SELECT prefix FROM api_key",
    "a key is made": "INSERT INTO api_key (prefix, digest, name, campaign_id, role) VALUES ('a', '', 'a', 0, 'admin')",
    "a key is revoked no more": "UPDATE api_key SET revoked_at = NULL",
    "keys are dropped": "DELETE FROM api_key",
    "an event has a position of its own": """
      INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, actor, payload, xid)
      VALUES ('audit', now(), 1, 0, 1, 'content:create:v1:success', 'a', '{}', '1')""",
    "a temporary table hides one": "CREATE TEMP TABLE master (id int)",
    "a function is made": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "an epoch is begun": "SELECT new_log_epoch('for fun')",
    "the sequence of ids is set": "SELECT setval('id_clock', 1)",
    "the owner's role is taken": "SET LOCAL ROLE ovasabi_search",
}


@pytest_asyncio.fixture
async def serving(migrated_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application's role, whose login has no other."""
    async with admin(migrated_url) as owner:
        await owner.execute("DROP ROLE IF EXISTS served; CREATE ROLE served LOGIN; GRANT ovasabi_app TO served")
        name = await owner.fetchval("SELECT current_database()")
        await owner.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    connection = await open_session(migrated_url.replace("postgres@", "served@"), role=APP_ROLE)
    try:
        yield connection
    finally:
        await connection.close()
        async with admin(migrated_url) as owner:
            await owner.execute("DROP ROLE served")


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_a_statement_of_the_application_can_neither_read_nor_forge(
    serving: asyncpg.Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await serving.execute(statement)


async def test_a_key_is_told_only_to_who_has_its_digest(serving: asyncpg.Connection, migrated_url: str) -> None:
    key = await create_key(migrated_url, "told", Role.READER)
    prefix = key.split("_")[1]
    assert await serving.fetch("SELECT * FROM known_key($1, '')", prefix) == []
    assert await serving.fetch("SELECT * FROM known_key($1, NULL)", prefix) == []
    async with admin(migrated_url) as owner:
        digest = await owner.fetchval("SELECT digest FROM api_key WHERE prefix = $1", prefix)
    (row,) = await serving.fetch("SELECT * FROM known_key($1, $2)", prefix, digest)
    assert (row["role"], row["campaign_id"], row["revoked_at"]) == ("reader", 0, None)


async def test_keys_are_managed_only_by_a_login_that_may_act_as_the_owner(
    serving: asyncpg.Connection, migrated_url: str
) -> None:
    url = migrated_url.replace("postgres@", "served@")
    for attempt in (create_key(url, "mine", Role.ADMIN), list_keys(url), revoke_key(url, "a")):
        with pytest.raises(StartError, match="may only serve: it is not a member of ovasabi_owner"):
            await attempt


async def test_a_known_key_with_another_secret_is_refused_although_the_right_one_is_cached(migrated_url: str) -> None:
    database = await Database(migrated_url, readers=1, writers=1).open()
    try:
        keyring, key = Keyring(database), await create_key(migrated_url, "cached", Role.READER)
        assert (await keyring.principal(key)).role is Role.READER
        with pytest.raises(Unauthenticated):
            await keyring.principal(key[:-5] + "AAAAA")
        assert (await keyring.principal(key)).role is Role.READER
    finally:
        await database.close()


@pytest.mark.parametrize("month", [date(2019, 12, 1), date(2100, 1, 1), None])
async def test_partitions_of_absurd_months_are_refused(serving: asyncpg.Connection, month: date | None) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        await serving.execute("SELECT create_month('service_event_audit', $1)", month)
    assert caught.value.sqlstate == "OV004"
