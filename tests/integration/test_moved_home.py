"""A home that an earlier package of PostgreSQL 18 created, started by today's: data, keys and log are as they were."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ovasabi.database.bundled import VERSION, bundled_binaries
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.lifecycle import migrations, sql_objects
from ovasabi.security.keys import Keyring
from tests.binaries import earlier
from tests.integration.kernel.fixtures import admin, pools, schema_of
from tests.integration.kernel.test_sql_objects import contents_of, used, works

BORN = """
SELECT current_setting('server_version') AS version, datlocprovider::text, datcollversion, datlocale,
       (SELECT catalog_version_no FROM pg_control_system()), (SELECT system_identifier FROM pg_control_system())
FROM pg_database WHERE datname = current_database()"""
LANGUAGE = """
SELECT lanname FROM pg_proc JOIN pg_language AS l ON l.oid = prolang
WHERE proname = 'similarity' AND pronamespace = 'public'::regnamespace"""
PAIRS = [("asynchronous", "asynchronuos"), ("decimal", "decimel"), ("Größe", "größe"), ("one two", "two one")]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that PostgreSQL's user can reach; pytest's own takes that right away again."""
    path = Path(tempfile.mkdtemp(prefix="ovasabi-test-"))
    yield path
    shutil.rmtree(path)


async def similarities(connection: asyncpg.Connection) -> list[float]:
    """How alike some names are, by the function that the database has."""
    return [await connection.fetchval("SELECT similarity($1, $2)", *pair) for pair in PAIRS]


async def test_a_home_of_the_earlier_package_keeps_its_data_and_gains_pg_trgm(home: Path) -> None:
    async with EmbeddedServer(home / "postgres", 18, earlier(18)) as server:
        await migrations.upgrade(server.url())
        *campaigns, key = await used(server.url())
        schema, rows = await schema_of(server.url()), await contents_of(server.url())
        async with admin(server.url()) as connection:
            before, alike = await connection.fetchrow(BORN), await similarities(connection)
            # As in a home of that time, whose functions are not of today's text.
            await connection.execute("UPDATE sql_object SET hash = 'of old' WHERE name = 'names/similarity'")
            assert await connection.fetchval(LANGUAGE) == "plpgsql"
    async with EmbeddedServer(home / "postgres") as server:
        async with admin(server.url()) as connection:
            after = await connection.fetchrow(BORN)
            assert before["version"] < after["version"]
            assert before[1:] == after[1:]
        assert await contents_of(server.url()) == rows
        await migrations.upgrade(server.url())
        assert await sql_objects.outdated(server.url()) == []
        assert await contents_of(server.url()) == rows
        ours = [row for row in schema if row[1].startswith(("similarity(", "trigrams("))]
        assert len(ours) == 2
        assert await schema_of(server.url()) == [row for row in schema if row not in ours]
        async with admin(server.url()) as connection:
            assert await connection.fetchval(LANGUAGE) == "c"
            assert await similarities(connection) == pytest.approx(alike, abs=1e-6)
        async with pools(server.url()) as database:
            assert (await Keyring(database).principal(key)).name.startswith("key:")
            for campaign in campaigns:
                await works(database, campaign)


async def test_the_extensions_that_are_promised_are_there(home: Path) -> None:
    names = ["amcheck", "btree_gin", "btree_gist", "pg_stat_statements", "pg_trgm", "unaccent"]
    async with EmbeddedServer(home / "postgres") as server, admin(server.url()) as connection:
        for name in names:
            await connection.execute(f"CREATE EXTENSION {name}")
        assert await connection.fetchval("SELECT unaccent('naïve café')") == "naive cafe"


def test_the_programs_that_are_promised_are_there() -> None:
    for program in ("pg_dump", "pg_restore", "pg_basebackup", "pg_upgrade", "psql"):
        said = subprocess.run([bundled_binaries() / program, "--version"], capture_output=True, text=True, check=True)
        assert int(said.stdout.split()[2].partition(".")[0]) == VERSION
