"""The processes that serve log in as themselves: a statement that is smuggled in cannot become anything else."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from ovasabi import runtime
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.errors import StartError
from ovasabi.kernel.service.shards import HOME
from ovasabi.lifecycle import serving_login
from ovasabi.lifecycle.serving_login import FILE, powers_at, serving_url, settle, verifier
from ovasabi.servers import opened
from ovasabi.settings import Settings
from tests.integration.kernel.fixtures import admin

SMUGGLED = {
    "another role": "RESET ROLE; SET ROLE ovasabi_owner",
    "a program": "SET ROLE NONE; COPY (SELECT 1) TO PROGRAM 'true'",
    "a file": "SET ROLE NONE; SELECT pg_read_file('PG_VERSION')",
    "keys": "SET ROLE NONE; SELECT * FROM api_key",
    "no policies": "SET ROLE NONE; SET session_replication_role = replica",
    "another session": "SET SESSION AUTHORIZATION postgres",
    "a login": "SET ROLE NONE; CREATE ROLE mine LOGIN SUPERUSER",
    "the search role": "SET ROLE NONE; SET ROLE ovasabi_search",
}


@pytest_asyncio.fixture
async def settings(migrated_url: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of a home, whose logins are dropped afterwards."""
    yield Settings(home=tmp_path)
    async with admin(migrated_url) as connection:
        for row in await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'ovasabi_serving_%'"):
            await connection.execute(f"DROP OWNED BY {row['rolname']}; DROP ROLE {row['rolname']}")


async def told(url: str, settings: Settings) -> list[str]:
    """Makes the login; answers what was reported."""
    said: list[str] = []
    await settle(url, settings, HOME, said.append)
    return said


async def test_the_pools_of_a_server_log_in_as_one_that_only_serves(migrated_url: str, settings: Settings) -> None:
    assert await told(migrated_url, settings) == []
    path = settings.home / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with opened(migrated_url, settings) as databases:
        ((session, current),) = await databases[HOME].read("SELECT session_user::text, current_user::text")
    assert session == json.loads(path.read_bytes())["0"]["user"]
    assert current == "ovasabi_app"
    assert (await powers_at(serving_url(migrated_url, settings, HOME))).powers == []
    assert (await runtime.status(migrated_url, settings))["serving_login"] == session


@pytest.mark.parametrize("statements", SMUGGLED.values(), ids=SMUGGLED)
async def test_no_statement_leads_out_of_it(migrated_url: str, settings: Settings, statements: str) -> None:
    await told(migrated_url, settings)
    async with opened(migrated_url, settings) as databases, databases[HOME].transaction() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statements)


async def test_it_is_made_once_and_again_where_it_is_missing_or_has_another_password(
    migrated_url: str, settings: Settings
) -> None:
    await told(migrated_url, settings)
    text = (settings.home / FILE).read_bytes()
    await told(migrated_url, settings)
    assert (settings.home / FILE).read_bytes() == text
    user = json.loads(text)["0"]["user"]
    for fault in (f"DROP OWNED BY {user}; DROP ROLE {user}", f"ALTER ROLE {user} NOLOGIN"):
        async with admin(migrated_url) as connection:
            await connection.execute(fault)
        with pytest.raises(StartError, match="refuses the login that serves") as refused:
            await serving_login.check(migrated_url, settings, HOME, print)
        assert refused.value.hint == "Run: ovasabi migrate"
        assert await told(migrated_url, settings) == []
        assert (settings.home / FILE).read_bytes() == text
        await serving_login.check(migrated_url, settings, HOME, pytest.fail)


async def test_the_login_of_another_database_is_not_used(
    migrated_url: str, settings: Settings, server: EmbeddedServer
) -> None:
    await told(migrated_url, settings)
    assert serving_url(server.url(), settings, HOME) == server.url()
    assert serving_url(migrated_url, settings, 1) == migrated_url


async def test_where_none_can_be_made_serving_says_that_it_uses_the_login_that_migrates(
    migrated_url: str, settings: Settings
) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute("DROP ROLE IF EXISTS migrates; CREATE ROLE migrates LOGIN")
        await connection.execute("GRANT ovasabi_owner, ovasabi_app TO migrates")
    try:
        url = migrated_url.replace("postgres@", "migrates@")
        (said,) = await told(url, settings)
        assert said.startswith("No login that only serves could be made (permission denied")
        assert not (settings.home / FILE).exists()
        warned: list[str] = []
        await serving_login.check(url, settings, HOME, warned.append)
        assert "Serving uses the login migrates, which can become ovasabi_owner" in warned[0]
        assert "migrates, which can become ovasabi_owner" in (await runtime.status(url, settings))["serving_login"]
    finally:
        async with admin(migrated_url) as connection:
            await connection.execute("DROP ROLE migrates")


async def test_a_login_of_the_operators_that_only_serves_needs_no_other(migrated_url: str, settings: Settings) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute("DROP ROLE IF EXISTS web; CREATE ROLE web LOGIN; GRANT ovasabi_app TO web")
    try:
        url = migrated_url.replace("postgres@", "web@")
        assert await told(url, settings) == []
        assert not (settings.home / FILE).exists()
        await serving_login.check(url, settings, HOME, pytest.fail)
    finally:
        async with admin(migrated_url) as connection:
            await connection.execute("DROP ROLE web")


async def test_the_server_checks_the_password_by_what_it_was_given(migrated_url: str, settings: Settings) -> None:
    # The sockets of the tests ask for no password: what PostgreSQL makes of one is compared.
    async with admin(migrated_url) as connection:
        await connection.execute("CREATE ROLE ovasabi_serving_a PASSWORD 'pencil'")
        stored = await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'ovasabi_serving_a'")
    scheme, _, rest = stored.partition("$")
    salt = rest.partition("$")[0].partition(":")[2]
    assert scheme == "SCRAM-SHA-256"
    assert verifier("pencil", salt) == stored
    assert verifier("pencil") != verifier("pencil")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://owner:a%40b@db:5432/shop", "postgresql://u:p%2F@db:5432/shop"),
        ("postgres://db/shop?sslmode=require&user=owner&password=x", "postgres://u:p%2F@db/shop?sslmode=require"),
        ("postgresql://owner@a:1,b:2/shop", "postgresql://u:p%2F@a:1,b:2/shop"),
        ("postgresql://postgres@/ovasabi?host=/a/b&port=5432", "postgresql://u:p%2F@/ovasabi?host=/a/b&port=5432"),
    ],
)
def test_the_address_stays_and_the_login_is_replaced(tmp_path: Path, url: str, expected: str) -> None:
    settings = Settings(home=tmp_path)
    login = {"place": serving_login._place(url), "user": "u", "password": "p/"}
    (tmp_path / FILE).write_text(json.dumps({"0": login}))
    assert serving_url(url, settings, HOME) == expected


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(StartError, match=r"serving.json cannot be read"):
        serving_url("postgresql://db/shop", Settings(home=tmp_path), HOME)
