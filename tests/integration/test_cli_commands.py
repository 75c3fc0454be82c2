"""`ovasabi migrate` and `ovasabi keys`, as processes on real databases."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import ovasabi
from ovasabi.database import postmaster
from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Role
from ovasabi.lifecycle import migrations, sql_objects
from ovasabi.security.keys import Keyring, Unauthenticated
from tests.command_line import SECONDS, run_async

SOURCE = Path(ovasabi.__file__).parents[1]
ENTITY = '''"""The data of a samplething."""

from typing import Annotated

from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Search


@entity(plural="samplethings", title="name")
class Samplething(Entity):
    """A samplething."""

    name: Annotated[str, Meta(max_length=100), Search("A")]
'''
RULES = '''"""The rules of samplethings."""

from ovasabi.kernel.service import EntityService
from ovasabi.services.samplething.entity import Samplething


class Samplethings(EntityService[Samplething]):
    """Samplethings."""
'''


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that PostgreSQL's user can reach; pytest's own takes that right away again."""
    path = Path(tempfile.mkdtemp(prefix="ovasabi-test-"))
    yield path
    postmaster.stop_leftovers(path / "postgres")
    shutil.rmtree(path)


async def run(*arguments: str, source: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with these settings and no others; with other sources if there are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")} | settings
    if source is None:
        answer = await run_async(*arguments, env=kept)
    else:
        command = [sys.executable, "-c", "from ovasabi.cli import main; main()", *arguments]
        kept |= {"PYTHONPATH": str(source), "PYTHONPYCACHEPREFIX": str(source.with_name("compiled"))}
        answer = await asyncio.to_thread(
            subprocess.run, command, env=kept, cwd="/", capture_output=True, text=True, timeout=SECONDS
        )
    assert "Traceback" not in answer.stderr
    return answer


def add_service(folder: Path) -> None:
    """Writes the service of samplethings into a folder of services, without a migration."""
    (folder / "samplething").mkdir()
    for name, text in (("__init__", '"""Samplethings."""\n'), ("entity", ENTITY), ("service", RULES)):
        (folder / "samplething" / f"{name}.py").write_text(text)


async def revisions(url: str) -> tuple[str, ...]:
    """The migrations that a database is at."""
    return await migrations.current_revisions(url)


async def test_a_plan_prints_the_sql_and_touches_nothing(empty_url: str) -> None:
    answer = await run("migrate", "--plan", OVASABI_DATABASE_URL=empty_url)
    assert answer.returncode == 0
    assert answer.stderr == ""
    for statement in ("CREATE TABLE master (", "CREATE TABLE service_content_main (", "UPDATE alembic_version"):
        assert statement in answer.stdout
    connection = await asyncpg.connect(empty_url)
    try:
        assert (
            await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
        )
    finally:
        await connection.close()


async def test_migrate_brings_the_schema_up_with_its_partitions_and_then_has_nothing_to_do(empty_url: str) -> None:
    answer = await run("migrate", OVASABI_DATABASE_URL=empty_url, OVASABI_MONTHS_AHEAD="1")
    assert answer.returncode == 0, answer.stderr
    assert f"The schema is at {' and '.join(migrations.heads())}" in answer.stdout
    assert await revisions(empty_url) == migrations.heads()
    again = await run("migrate", OVASABI_DATABASE_URL=empty_url, OVASABI_MONTHS_AHEAD="1")
    assert "partitions created: 0" in again.stdout
    assert (await run("migrate", "--plan", OVASABI_DATABASE_URL=empty_url)).stdout == "nothing to do\n"


@pytest.mark.versions("18")
async def test_a_new_entity_gets_its_migration_written_and_without_one_there_is_no_difference(
    empty_url: str, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(migrations.folder(), tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(sql_objects.folder(), tmp_path / "sql")
    early = await run("migrate", "--new", "samplethings", source=source, OVASABI_DATABASE_URL=empty_url)
    assert (early.returncode, "Run `ovasabi migrate` first." in early.stderr) == (1, True)
    await run("migrate", source=source, OVASABI_DATABASE_URL=empty_url)
    nothing = await run("migrate", "--new", "nothing", source=source, OVASABI_DATABASE_URL=empty_url)
    assert nothing.stdout == "no difference\n"
    add_service(source / "ovasabi" / "services")
    answer = await run("migrate", "--new", "samplethings", source=source, OVASABI_DATABASE_URL=empty_url)
    written = Path(answer.stdout.strip())
    assert written.is_relative_to(tmp_path / "migrations")
    assert "service_samplething_main" in written.read_text()
    plan = await run("migrate", "--plan", source=source, OVASABI_DATABASE_URL=empty_url)
    assert "CREATE TABLE service_samplething_main" in plan.stdout
    assert (await run("migrate", source=source, OVASABI_DATABASE_URL=empty_url)).returncode == 0
    nothing = await run("migrate", "--new", "nothing", source=source, OVASABI_DATABASE_URL=empty_url)
    assert nothing.stdout == "no difference\n"


@pytest.mark.versions("18")
async def test_a_type_that_no_migration_creates_a_table_for_is_named_and_not_served(
    migrated_url: str, tmp_path: Path
) -> None:
    add_service(tmp_path)
    settings = {"OVASABI_DATABASE_URL": migrated_url, "OVASABI_HOME": str(tmp_path / "home")}
    env = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")} | settings
    migrated = await run_async("migrate", env=env, services=tmp_path)
    assert migrated.returncode == 0
    assert "no migration creates the table of samplething: run `ovasabi migrate --new samplething`" in migrated.stderr
    status = json.loads((await run_async("status", "--json", env=env, services=tmp_path)).stdout)
    assert (status["tables_missing"], status["next_step"]) == (
        ["samplething"], "Run: ovasabi migrate --new samplething"
    )  # fmt: skip
    for command in (["serve"], ["up"]):
        refused = await run_async(*command, env=env, services=tmp_path)
        assert (refused.returncode, refused.stderr) == (
            1,
            "error: No migration creates the table of samplething.\n"
            "hint: Run: ovasabi migrate --new samplething, then: ovasabi migrate\n",
        ), command


async def test_without_a_database_a_migration_is_written_from_a_temporary_one(home: Path) -> None:
    answer = await run("migrate", "--new", "nothing", OVASABI_HOME=str(home))
    assert (answer.returncode, answer.stdout) == (0, "no difference\n"), answer.stderr
    assert not (home / "postgres").exists()


async def test_a_database_that_is_not_there_is_one_sentence() -> None:
    for command in (["migrate"], ["migrate", "--plan"], ["keys", "list"]):
        answer = await run(*command, OVASABI_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
        assert answer.returncode == 1
        assert answer.stderr.startswith("error: ")
        assert answer.stdout == ""


async def test_a_key_is_made_listed_used_and_revoked(database_url: str, database: Database, campaign: int) -> None:
    made = await run(
        "keys", "create", "ada", "--role", "writer", "--campaign", str(campaign), "--expires", "30d",
        OVASABI_DATABASE_URL=database_url,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert made.stdout == f"{key}\n"
    assert key not in made.stderr
    principal = await Keyring(database).principal(key)
    assert (principal.campaign_id, principal.role) == (campaign, Role.WRITER)
    prefix = key.split("_")[1]
    listed = json.loads((await run("keys", "list", "--json", OVASABI_DATABASE_URL=database_url)).stdout)
    (entry,) = [entry for entry in listed if entry["prefix"] == prefix]
    assert (entry["name"], entry["campaign"], entry["role"], entry["state"]) == ("ada", campaign, "writer", "active")
    assert (await run("keys", "revoke", prefix, OVASABI_DATABASE_URL=database_url)).returncode == 0
    table = (await run("keys", "list", OVASABI_DATABASE_URL=database_url)).stdout
    (line,) = [line for line in table.splitlines() if line.startswith(prefix)]
    assert line.endswith("revoked")
    assert key.split("_", 2)[2] not in table
    with pytest.raises(Unauthenticated):
        await Keyring(database).principal(key)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create", "ada"], 2, "--role"),
        (["create", "ada", "--role", "king"], 2, "'king'"),
        (["create", "ada", "--role", "reader", "--expires", "soon"], 2, "expected a duration such as 30d"),
        (["create", "ada", "--role", "reader", "--expires", "2020-01-01"], 2, "not in the future"),
        (["create", "ada", "--role", "reader", "--campaign", "no-such"], 1, "The campaign 'no-such' was not found."),
        (["create", "", "--role", "reader"], 1, "1 to 190 printable characters"),
        (["revoke", "nothing"], 1, "No key with the prefix 'nothing' was found."),
    ],
)
async def test_a_key_that_cannot_be_made_or_found_is_one_sentence(
    arguments: list[str], code: int, words: str, database_url: str
) -> None:
    answer = await run("keys", *arguments, OVASABI_DATABASE_URL=database_url)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert words in answer.stderr


async def test_without_anything_running_migrate_and_keys_start_the_embedded_server(home: Path) -> None:
    early = await run("keys", "list", OVASABI_HOME=str(home))
    assert (early.returncode, "There is no database in" in early.stderr) == (1, True)
    plan = await run("migrate", "--plan", OVASABI_HOME=str(home))
    assert "CREATE TABLE master (" in plan.stdout
    assert not (home / "postgres").exists()
    migrated = await run("migrate", OVASABI_HOME=str(home))
    assert migrated.returncode == 0, migrated.stderr
    assert (await run("keys", "create", "ada", "--role", "admin", OVASABI_HOME=str(home))).stdout.startswith("ovk_")
    listed = json.loads((await run("keys", "list", "--json", OVASABI_HOME=str(home))).stdout)
    assert [entry["name"] for entry in listed] == ["ada"]
    assert postmaster.running(home / "postgres") is None
    refused = await run("import", "contents", "/dev/null", "--campaign", "x", OVASABI_HOME=str(home))
    assert refused.returncode == 1
    assert "is not running." in refused.stderr
