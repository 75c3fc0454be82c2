"""A database keeps the server's number in its ids, and is not used with another."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from ovasabi.database.roles import ensure_roles
from ovasabi.kernel.declare.ids import id_time, time_id
from ovasabi.lifecycle import migrations
from tests.integration.test_cli_commands import run

BEFORE = (
    "INSERT INTO entity_type SELECT 'old', 'old', 'old', 'campaign', false",
    """INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
       SELECT id, id_uuid(id), 1, 'old', 'old', id_time(id), id_time(id) FROM (SELECT time_id($at) | 4095) AS i (id)""",
    "SELECT create_month('service_event_audit', ($at AT TIME ZONE 'UTC')::date)",
    """INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, actor, payload)
       SELECT 'audit', created_at, id, 1, id, 'old:create:v1:success', 'test', '{}' FROM master""",
)
"""What a database of the version before has: an id with all 12 bits of its sequence set, and its event."""

pytestmark = pytest.mark.versions("18")


async def number_of(url: str) -> int:
    """The number in a new id."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT next_id() & 31"))
    finally:
        await connection.close()


async def test_a_database_takes_the_number_of_the_setting_until_its_first_id(empty_url: str) -> None:
    for number in ("3", "5"):
        answer = await run("migrate", OVASABI_DATABASE_URL=empty_url, OVASABI_SERVER_NUMBER=number)
        assert answer.returncode == 0, answer.stderr
    early = await run("keys", "list", OVASABI_DATABASE_URL=empty_url, OVASABI_SERVER_NUMBER="3")
    assert early.returncode == 1
    assert "`ovasabi migrate` gives it the number of the setting" in early.stderr
    assert await number_of(empty_url) == 5
    for command in (["migrate"], ["serve", "--port", "9"], ["keys", "list"]):
        for other in ("3", ""):
            answer = await run(*command, OVASABI_DATABASE_URL=empty_url, OVASABI_SERVER_NUMBER=other)
            assert answer.returncode == 1, command
            said = f"OVASABI_SERVER_NUMBER is {other or 0}, but the ids of this database have the number 5."
            assert said in answer.stderr
            assert "cannot be changed" in answer.stderr
    answer = await run("keys", "list", OVASABI_DATABASE_URL=empty_url, OVASABI_SERVER_NUMBER="5")
    assert answer.returncode == 0, answer.stderr
    assert await number_of(empty_url) == 5


async def test_ids_of_a_copy_without_sequences_continue_after_its_newest_event(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url)
    try:
        newest = datetime.now(UTC) + timedelta(hours=3)
        for sql in BEFORE:
            await connection.execute(sql.replace("$at", f"timestamptz '{newest.isoformat()}'"))
        await connection.execute("SELECT setval('id_clock', 0, false)")
        answer = await run("migrate", OVASABI_DATABASE_URL=migrated_url, OVASABI_SERVER_NUMBER="9")
        assert answer.returncode == 0, answer.stderr
        id = await connection.fetchval("SELECT next_id()")
        assert newest < id_time(id) < newest + timedelta(milliseconds=5)
        assert id & 31 == 9
        again = await connection.fetchval("SELECT next_id()")
        await run("migrate", OVASABI_DATABASE_URL=migrated_url, OVASABI_SERVER_NUMBER="9")
        assert await connection.fetchval("SELECT next_id()") == again + 32
    finally:
        await connection.close()


async def test_status_shows_the_number_and_by_how_much_ids_are_ahead_of_the_clock(migrated_url: str) -> None:
    for ahead in (0, 3600):
        connection = await asyncpg.connect(migrated_url)
        try:
            at = datetime.now(UTC) + timedelta(seconds=ahead)
            await connection.execute(f"SELECT setval('id_clock', {time_id(at) | 17})")
        finally:
            await connection.close()
        answer = await run("status", "--json", OVASABI_DATABASE_URL=migrated_url)
        report = json.loads(answer.stdout)
        assert report["server_number"] == 17
        assert ahead - 60 < report["ids_ahead_seconds"] <= ahead


async def test_a_number_that_does_not_fit_into_an_id_is_refused(empty_url: str) -> None:
    for number in ("32", "-1", "x"):
        answer = await run("migrate", OVASABI_DATABASE_URL=empty_url, OVASABI_SERVER_NUMBER=number)
        assert answer.returncode == 2
        assert f"OVASABI_SERVER_NUMBER is '{number}', which is not valid" in answer.stderr


async def test_ids_of_an_upgraded_database_continue_after_its_newest_event(empty_url: str) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, "0008")
    connection = await asyncpg.connect(empty_url)
    try:
        ahead = datetime.now(UTC) + timedelta(hours=2)
        for sql in BEFORE:
            await connection.execute(sql.replace("$at", f"timestamptz '{ahead.isoformat()}'"))
        await migrations.upgrade(empty_url)
        id = await connection.fetchval("SELECT next_id()")
        assert id & 31 == 0
        assert ahead < id_time(id) < ahead + timedelta(milliseconds=5)
        assert await connection.fetchval("SELECT count(*) FROM master WHERE id & 4095 = 4095") == 1
    finally:
        await connection.close()
