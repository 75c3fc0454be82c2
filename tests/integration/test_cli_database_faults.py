"""A fault of the database is one clear error of every command that uses it: what is wrong, and what to do."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.call.context import acting, on_platform, system_context
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.lifecycle import migrations
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, eventually, pools
from tests.integration.test_cli_commands import run

pytestmark = pytest.mark.versions("18")
COMMANDS = {
    "import": ["import", "contents", "lines.jsonl", "--campaign", "1"],
    "create": ["keys", "create", "ada", "--role", "reader"],
    "list": ["keys", "list"],
    "serve": ["serve", "--port", "free", "--grpc-port", "0"],
}
FAILING = """
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{sqlstate}'; END $$;
CREATE TRIGGER fails AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fails()"""


@pytest_asyncio.fixture
async def url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database of the test's own, with one campaign."""
    async with fresh(server, "ovasabi") as url:
        async with pools(url, readers=1, writers=1) as database:
            with acting(system_context("test")), on_platform("the test's own campaign"):
                await ServiceRegistry(database).named("campaign").create({"slug": "own", "title": "Own"})
        yield url


async def failure(command: str, url: str, folder: Path, **settings: str) -> tuple[str, str]:
    """Runs a command that must fail as faults of the database do; returns its error and its hint."""
    lines = folder / "lines.jsonl"
    lines.write_text("".join(f'{{"title": "{number}"}}\n' for number in range(3000)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given = {"lines.jsonl": str(lines), "free": str(listener.getsockname()[1])}
    arguments = [given.get(argument, argument) for argument in COMMANDS[command]]
    answer = await run(*arguments, OVASABI_DATABASE_URL=url, OVASABI_HOME=str(folder / "home"), **settings)
    assert (answer.returncode, answer.stdout) == (1, ""), answer
    said = [line for line in answer.stderr.splitlines() if not line.startswith("Interrupted after ")]
    assert [line.partition(": ")[0] for line in said] == ["error", "hint"], answer.stderr
    assert "Error" not in answer.stderr, "the class of an exception is no message"
    return said[0].removeprefix("error: "), said[1].removeprefix("hint: ")


async def execute(url: str, *statements: str) -> None:
    """Runs statements as a superuser."""
    async with admin(url) as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_a_missing_grant_is_named_with_its_table_and_restored_by_a_migration(url: str, tmp_path: Path) -> None:
    await execute(url, "REVOKE INSERT ON service_content_main, master_key FROM ovasabi_app")
    for command in COMMANDS:
        problem, hint = await failure(command, url, tmp_path)
        assert "grants on table service_content_main: ovasabi_app lacks INSERT (sql/policies/entities.sql)" in problem
        assert "grants on table master_key: ovasabi_app lacks INSERT (sql/policies/master_key.sql)" in problem
        assert hint == "Run: ovasabi migrate"
    status = await run("status", "--json", OVASABI_DATABASE_URL=url)
    report = json.loads(status.stdout)
    assert (len(report["objects_changed"]), report["next_step"]) == (2, "Run: ovasabi migrate")
    assert (status.returncode, report["ready"], report["running"]) == (4, False, False)
    await migrations.upgrade(url)
    status = await run("status", "--json", OVASABI_DATABASE_URL=url)
    assert (status.returncode, json.loads(status.stdout)["ready"]) == (3, True)
    assert (await run(*COMMANDS["create"], OVASABI_DATABASE_URL=url)).returncode == 0


async def test_a_grant_that_is_revoked_while_an_import_runs_is_named_as_well(url: str, tmp_path: Path) -> None:
    # The database is checked before the pools are opened, and the line comes after that.
    lines = tmp_path / "fifo"
    os.mkfifo(lines)
    importing = asyncio.create_task(run("import", "contents", str(lines), "--campaign", "1", OVASABI_DATABASE_URL=url))
    descriptor = await asyncio.to_thread(os.open, lines, os.O_WRONLY)
    try:
        async with admin(url) as connection:
            opened = """SELECT count(*) >= 5 FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = $1"""

            async def pools_are_open() -> bool:
                return bool(await connection.fetchval(opened, "ovasabi"))

            await eventually(pools_are_open)
            await connection.execute("REVOKE INSERT ON service_content_main FROM ovasabi_app")
        os.write(descriptor, b'{"title": "late"}\n')
    finally:
        os.close(descriptor)
    answer = await importing
    assert answer.returncode == 1
    assert "grants on table service_content_main: ovasabi_app lacks INSERT" in answer.stderr


@pytest.mark.parametrize(
    ("sqlstate", "problem", "hint"),
    [
        ("53100", "The database server's disk is full: told (SQLSTATE 53100).", "Free space on the server"),
        ("53200", "The database server is out of memory: told (SQLSTATE 53200).", "Free memory on the server"),
        ("53400", "The database server has reached a limit: told (SQLSTATE 53400).", "Raise the limit"),
        ("57014", "The call did not finish before its deadline.", "Request less at a time"),
        ("XX001", "The database server has a fault: told (SQLSTATE XX001).", "See the server's log."),
        ("P0001", "The database reported an error: told (SQLSTATE P0001).", "Set OVASABI_LOG_LEVEL=debug"),
    ],
)
async def test_a_statement_that_the_server_cannot_carry_out_is_one_clear_error(
    url: str, tmp_path: Path, sqlstate: str, problem: str, hint: str
) -> None:
    # A trigger refuses with the code that the server uses for such a fault.
    await execute(url, FAILING.format(message="told", sqlstate=sqlstate, table="api_key"))
    said = await failure("create", url, tmp_path)
    assert (said[0], said[1][: len(hint)]) == (problem, hint)
    if sqlstate == "XX001":
        await execute(
            url, "DROP FUNCTION fails CASCADE", FAILING.format(message="told", sqlstate=sqlstate, table="master")
        )
        assert (await failure("import", url, tmp_path))[0] == problem


async def test_a_read_only_database_is_one_clear_error(url: str, tmp_path: Path) -> None:
    async with admin(url) as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    for command in ("import", "create"):
        problem, hint = await failure(command, url, tmp_path)
        assert problem.startswith("The database is read-only: cannot execute ")
        assert "check that OVASABI_DATABASE_URL points to the primary" in hint
    migrate = await run("migrate", OVASABI_DATABASE_URL=url)
    assert migrate.returncode == 1
    assert migrate.stderr.startswith("error: The database is read-only: cannot execute ")


LOGINS: Mapping[str, tuple[str, str]] = {
    "a login without the role of the application": (
        "CREATE ROLE {0} LOGIN",
        "lacks a privilege: permission denied for table alembic_version",
    ),
    "too many connections": (
        "CREATE ROLE {0} LOGIN CONNECTION LIMIT 0; GRANT ovasabi_app TO {0}",
        "too many connections",
    ),
}


@pytest.mark.parametrize("fault", LOGINS)
async def test_a_login_that_cannot_be_used_is_one_clear_error(url: str, tmp_path: Path, fault: str) -> None:
    statement, words = LOGINS[fault]
    await execute(url, "DROP ROLE IF EXISTS odd_login", statement.format("odd_login"))
    try:
        for command in ("create", "import"):
            problem, _ = await failure(command, url.replace("postgres@", "odd_login@"), tmp_path)
            assert words in problem
    finally:
        await execute(url, "DROP OWNED BY odd_login; DROP ROLE odd_login")


async def test_a_connection_that_is_lost_in_the_middle_is_one_clear_error(url: str, tmp_path: Path) -> None:
    lost = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END"
    await execute(
        url,
        f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ {lost} $$",
        "CREATE TRIGGER fails AFTER INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION fails()",
    )
    problem, hint = await failure("create", url, tmp_path)
    assert problem == "The database is unavailable: the connection was lost or refused."
    assert hint.startswith("Try again shortly.")
