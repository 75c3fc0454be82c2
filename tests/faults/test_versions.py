"""A database that a newer version has migrated: what runs goes on, what starts is refused, and the reason is told."""

from pathlib import Path

import pytest

from ovasabi import runtime
from ovasabi.errors import OvasabiError
from ovasabi.lifecycle.revisions import DatabaseAhead
from ovasabi.settings import Settings
from tests.command_line import run_async
from tests.faults.conftest import Behind
from tests.integration.kernel.fixtures import admin

NEWER = (
    "UPDATE alembic_version SET version_num = '20990101000000_beef'",
    "ALTER TABLE service_content_main ADD COLUMN colour text",
    "CREATE OR REPLACE FUNCTION time_id(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE "
    "AS $$ SELECT (floor(extract(epoch FROM at) * 1000)::bigint - 1577836800000) * 4096 $$",
    "UPDATE sql_object SET hash = 'of a newer version' WHERE name = 'ids/time_id'",
    "INSERT INTO sql_object (name, hash) VALUES ('ids/newer', 'x')",
)
"""What a newer version may do to a database: additions, and functions with other texts."""


async def newer(url: str) -> None:
    """Migrates a database as a newer version does."""
    async with admin(url) as connection:
        for statement in NEWER:
            await connection.execute(statement)


async def test_a_process_that_runs_goes_on_serving(behind: Behind) -> None:
    made = await behind.client.post(behind.path, json={"title": "before"})
    await newer(behind.url)
    behind.proxy.cut()  # its new sessions plan everything anew
    one = f"{behind.path}/{made.json()['id']}"
    assert (await behind.client.get(one)).status_code == 200
    assert (await behind.client.patch(one, json={"title": "after"})).status_code == 200
    assert (await behind.client.post(behind.path, json={"title": "new"})).status_code == 201
    assert (await behind.client.get(f"{behind.path}:search", params={"q": "after"})).json()["hits"]
    assert len((await behind.client.get("/v1/campaigns/shop/events")).json()["events"]) == 4
    assert (await behind.client.delete(one)).status_code == 200
    assert (await behind.client.get("/readyz")).status_code == 200


async def test_a_program_older_than_the_database_says_so(migrated_url: str, tmp_path: Path) -> None:
    await newer(migrated_url)
    with pytest.raises(DatabaseAhead):
        await runtime.check(migrated_url, Settings(home=tmp_path))
    env = {"OVASABI_HOME": str(tmp_path), "OVASABI_DATABASE_URL": migrated_url, "PATH": ""}
    told = await run_async("status", env=env)
    assert told.returncode == 4
    assert "Run the version of OVASABI that has migrated the database" in told.stdout
    assert "ovasabi migrate" not in told.stdout
    for command in (["serve", "--port", "9", "--grpc-port", "0"], ["migrate"]):
        refused = await run_async(*command, env=env)
        assert refused.returncode == 1
        assert "unknown to this version" in refused.stderr, refused.stderr


async def test_functions_of_another_version_are_told_as_such(migrated_url: str, tmp_path: Path) -> None:
    async with admin(migrated_url) as connection:
        await connection.execute("UPDATE sql_object SET hash = 'of another version' WHERE name = 'ids/time_id'")
    with pytest.raises(OvasabiError, match="those of another version"):
        await runtime.check(migrated_url, Settings(home=tmp_path))
