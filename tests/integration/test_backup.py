"""What was backed up is restored whole, on another server or a newer version; or else nothing is."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ovasabi.database.bundled import VERSION
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.roles import ensure_roles
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.events.cursors import cursor_of
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.events.log_end import CursorUnknown
from ovasabi.kernel.events.log_poll import end_of_log
from ovasabi.lifecycle import log_epochs, migrations, sql_objects
from ovasabi.lifecycle.backup import tools
from ovasabi.lifecycle.backup.errors import BackupFailed, RestoreFailed
from ovasabi.lifecycle.backup.inventory import Inventory, inventory_of, objects_of, session
from ovasabi.lifecycle.backup.manifest import DUMP, MANIFEST
from ovasabi.lifecycle.backup.restore import check, restore
from ovasabi.lifecycle.backup.save import save
from ovasabi.security.keys import Keyring
from tests.binaries import second
from tests.conftest import fresh
from tests.integration.kernel.fixtures import admin, contents, pools, schema_of, within
from tests.integration.kernel.test_sql_objects import columns_of, contents_of, used, used_before, works

Consumers = dict[int, tuple[str, list[int]]]
LIMITS = {"embedded": True, "seconds": 120.0}


@pytest.fixture
def folder() -> Any:
    """A directory that PostgreSQL's user can pass through."""
    path = Path(tempfile.mkdtemp(prefix="ovasabi-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def another(version: int, folder: Path) -> AsyncIterator[str]:
    """An empty database on a server of its own, of a version."""
    binaries = None if version == VERSION else second()[1]
    async with EmbeddedServer(folder / "another", version, binaries, options={"fsync": "off"}) as server:
        yield server.url()


def comparable(schema: list[tuple]) -> list[tuple]:
    """A schema without what is restored in another form: the text of checks, rights that only an owner has; and the
    log's epoch."""
    epoch = ("column", "service_event", "xid")
    rows = [row[:3] if row[0] in ("constraint", "index") or row[:3] == epoch else row for row in schema]
    alone = re.compile(r"\{(\w+)=\w+/\1\}")
    return [tuple(None if isinstance(each, str) and alone.fullmatch(each) else each for each in row) for row in rows]


async def is_empty(url: str) -> bool:
    """Whether a database has nothing of its own."""
    async with session(url) as connection:
        return await objects_of(connection) == []


async def is_whole(
    url: str, rows: dict[str, str], campaigns: list[int], key: str, consumers: Consumers | None = None
) -> None:
    """Everything is there, and can be used; consumers of the log go on."""
    found = await contents_of(url)
    assert found | {"log_epoch": ""} == rows | {"log_epoch": ""}
    await go_on(url, consumers or {})
    assert await sql_objects.outdated(url) == []
    async with pools(url) as database:
        assert (await Keyring(database).principal(key)).role is Role.ADMIN
        for campaign in campaigns:
            await works(database, campaign)


async def consumed(url: str, campaigns: list[int]) -> Consumers:
    """The cursor of a consumer that has read half of each campaign's log, and the events that it has not read."""
    found = {}
    async with pools(url) as database:
        for campaign in campaigns:
            with within(campaign):
                events = await read_events(database, limit=1000)
            half = len(events) // 2
            assert 0 < half < len(events) - 1
            found[campaign] = (events[half - 1].cursor, [event.id for event in events[half:]])
    return found


async def go_on(url: str, consumers: Consumers) -> None:
    """Each consumer gets what it has not read, then what is written now, and nothing again."""
    async with pools(url) as database:
        for campaign, (cursor, left) in consumers.items():
            with within(campaign):
                following = await read_events(database, after=cursor, limit=1000)
                assert [event.id for event in following] == left
                made = await contents(database).create({"title": "after the restore"})
                (newest,) = await read_events(database, after=following[-1].cursor)
                assert newest.master_id == made.id
                await contents(database).delete(made.id)


@pytest.mark.parametrize("newer", [False, True], ids=["same", "newer"])
async def test_a_restored_installation_is_whole_on_another_server(
    server: EmbeddedServer, migrated_url: str, folder: Path, newer: bool
) -> None:
    *campaigns, key = await used(migrated_url)
    consumers = await consumed(migrated_url, campaigns)
    rows, schema = await contents_of(migrated_url), comparable(await schema_of(migrated_url))
    made = await save(migrated_url, folder / "backup", **LIMITS)
    assert made == check(folder / "backup")
    assert sorted(path.name for path in folder.iterdir()) == ["backup"]
    assert {path.name: path.stat().st_mode & 0o777 for path in (folder / "backup").iterdir()} == {
        DUMP: 0o600,
        MANIFEST: 0o600,
    }
    async with another(VERSION if newer else server.version, folder) as url:
        restored = await restore(url, folder / "backup", **LIMITS)
        assert restored == made
        if server.version == VERSION or not newer:
            assert comparable(await schema_of(url)) == schema
        assert await migrations.differences(url) == []
        await migrations.upgrade(url)
        await is_whole(url, rows, campaigns, key, consumers)


async def test_a_backup_of_an_earlier_version_is_restored_and_then_migrated(
    server: EmbeddedServer, empty_url: str, folder: Path
) -> None:
    await ensure_roles(empty_url)
    await migrations.upgrade_tables(empty_url, "0007")
    *campaigns, key = await used_before(empty_url)
    columns, before = await columns_of(empty_url), await contents_of(empty_url)
    made = await save(empty_url, folder / "backup", **LIMITS)
    assert made.inventory.revisions == ["0007"]
    async with another(server.version, folder) as url:
        await restore(url, folder / "backup", **LIMITS)
        assert await contents_of(url) == before
        await migrations.upgrade(url)
        await log_epochs.arrive(url)  # as every start does
        assert await contents_of(url, columns) == before
        await is_whole(url, await contents_of(url), campaigns, key, await consumed(url, campaigns))


async def test_what_is_written_meanwhile_neither_waits_nor_is_in_it(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    pooled, *_ = await used(migrated_url)
    making, written = asyncio.create_task(save(migrated_url, folder / "backup", **LIMITS)), 0
    async with pools(migrated_url) as database:
        while not making.done():
            with within(pooled):
                await contents(database).create({"title": f"written meanwhile {written}"})
                written += 1
                newest = (await read_events(database, limit=1000))[-1]
            assert newest.payload["title"] == f"written meanwhile {written - 1}"
    made = await making
    async with admin(migrated_url) as connection:
        now = await connection.fetchval("SELECT count(*) FROM service_content_main")
    assert written > 3
    assert made.inventory.tables["service_content_main"].rows < now
    async with fresh(server) as url:
        assert await restore(url, folder / "backup", **LIMITS) == made


async def test_a_sequence_may_move_on_after_the_dump_has_read_it(
    server: EmbeddedServer, migrated_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled, *_ = await used(migrated_url)
    dumped, run = asyncio.Event(), tools.run

    async def dumping(*given: Any) -> None:
        await run(*given)
        dumped.set()

    async def afterwards(connection: asyncpg.Connection, *given: Any) -> Inventory:
        """The inventory is made after the dump, and ids have been issued meanwhile."""
        await dumped.wait()
        async with pools(migrated_url) as database:
            with within(pooled):
                await contents(database).create({"title": "meanwhile"})
        return await inventory_of(connection, *given)

    monkeypatch.setattr(tools, "run", dumping)
    monkeypatch.setattr("ovasabi.lifecycle.backup.save.inventory_of", afterwards)
    made = await save(migrated_url, folder / "backup", **LIMITS)
    async with fresh(server) as url:
        assert await restore(url, folder / "backup", **LIMITS) == made


async def test_cursors_that_the_original_issued_after_the_backup_are_refused_where_it_is_restored(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    campaign, *_ = await used(migrated_url)
    await log_epochs.begin(migrated_url, "a test")
    async with pools(migrated_url) as database:
        with within(campaign):
            await contents(database).create({"title": "in the second epoch"})
            known = await read_events(database, limit=1000)
        at_the_end = cursor_of(await end_of_log(database))
        await save(migrated_url, folder / "backup", **LIMITS)
        for number in range(3):
            with within(campaign):
                await contents(database).create({"title": f"after the backup {number}"})
        with within(campaign):
            later = await read_events(database, after=at_the_end)
    async with fresh(server) as url:
        await restore(url, folder / "backup", **LIMITS)
        async with pools(url) as database:
            for cursor in (known[-1].cursor, at_the_end):
                with within(campaign):
                    assert await read_events(database, after=cursor) == []
            assert later
            for event in later:
                with within(campaign), pytest.raises(CursorUnknown, match="ahead of the end of the epoch"):
                    await read_events(database, after=event.cursor)


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Changes the manifest of a backup."""

    def change_it(backup: Path) -> None:
        manifest = json.loads((backup / MANIFEST).read_text())
        change(manifest)
        (backup / MANIFEST).write_text(json.dumps(manifest))

    return change_it


def flipped(backup: Path) -> None:
    """Changes one bit in the middle of the dump."""
    data = bytearray((backup / DUMP).read_bytes())
    data[len(data) // 2] ^= 1
    (backup / DUMP).write_bytes(data)


def truncated(backup: Path) -> None:
    """Cuts the dump off, as a full disk or an interrupted copy does."""
    (backup / DUMP).write_bytes((backup / DUMP).read_bytes()[:-1000])


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncated, "bytes instead of"),
    "damaged": (flipped, "its digest is another"),
    "no dump": (lambda backup: (backup / DUMP).unlink(), "not a backup: it has no database.dump"),
    "no manifest": (lambda backup: (backup / MANIFEST).unlink(), "not a backup: it has no manifest.json"),
    "half a manifest": (lambda backup: (backup / MANIFEST).write_bytes(b'{"format": 1, "ov'), "is damaged"),
    "not a manifest": (lambda backup: (backup / MANIFEST).write_bytes(b"[]"), "is damaged"),
    "another format": (edited(lambda m: m.update(format=2)), "another format"),
    "a newer migration": (edited(lambda m: m["inventory"].update(revisions=["9999"])), "migration 9999"),
    "a newer server": (edited(lambda m: m["server"].update(major=99, version="99.1")), "is from PostgreSQL 99.1"),
    "an extension": (edited(lambda m: m["inventory"].update(extensions=["postgis"])), "the extension postgis"),
    "a role": (edited(lambda m: m["inventory"].update(roles=["accounting"])), "the role accounting"),
    "a row less": (
        edited(lambda m: m["inventory"]["tables"]["master"].update(rows=1)),
        "master has [0-9]+ rows instead of 1",
    ),
    "another row": (edited(lambda m: m["inventory"]["tables"]["api_key"].update(sum="1")), "the rows of api_key"),
    "a lost table": (edited(lambda m: m["inventory"]["tables"].update(x={"rows": 0, "sum": "0"})), "the table x is"),
    "a sequence": (edited(lambda m: m["inventory"]["sequences"].update(id_sequence=1 << 50)), "id_sequence is behind"),
}


async def test_a_backup_that_cannot_be_used_is_refused_and_leaves_the_database_empty(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    *campaigns, key = await used(migrated_url)
    await save(migrated_url, folder / "backup", **LIMITS)
    rows = await contents_of(migrated_url)
    async with fresh(server) as url:
        for name, (spoil, problem) in UNUSABLE.items():
            shutil.copytree(folder / "backup", folder / name)
            spoil(folder / name)
            with pytest.raises(OvasabiError, match=problem):
                await restore(url, folder / name, **LIMITS)
            assert await is_empty(url), name
        await restore(url, folder / "backup", **LIMITS)
        await is_whole(url, rows, campaigns, key)
        for occupied in (url, migrated_url):
            before = await contents_of(occupied)
            with pytest.raises(RestoreFailed, match="not empty: it has table"):
                await restore(occupied, folder / "backup", **LIMITS)
            assert await contents_of(occupied) == before


async def test_a_dump_that_pg_restore_refuses_half_way_leaves_the_database_empty(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    allowed = "CREATE OR REPLACE FUNCTION allowed(n int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT n < {}'"
    async with admin(migrated_url) as connection:
        await connection.execute(allowed.format(90_000))
        await connection.execute("CREATE TABLE zebra (n int CHECK (allowed(n))); INSERT INTO zebra VALUES (8571)")
        await connection.execute(allowed.format(5))
    await save(migrated_url, folder / "backup", **LIMITS)
    async with fresh(server) as url:
        with pytest.raises(RestoreFailed, match=r'COPY failed for table "zebra".*violates check') as refused:
            await restore(url, folder / "backup", **LIMITS)
        assert "8571" not in str(refused.value)
        assert await is_empty(url)


@asynccontextmanager
async def login(url: str, rights: str) -> AsyncIterator[str]:
    """The address of a database for a login with some rights."""
    async with admin(url) as connection:
        await connection.execute(f"DROP ROLE IF EXISTS keeper; CREATE ROLE keeper LOGIN {rights}")
        await connection.execute("GRANT ovasabi_owner TO keeper")
    try:
        yield url.replace("postgres@", "keeper@")
    finally:
        async with admin(url) as connection:
            await connection.execute("REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper; DROP ROLE keeper")


async def test_a_login_that_would_see_only_some_rows_is_refused(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    await used(migrated_url)
    async with login(migrated_url, "NOBYPASSRLS") as url:
        with pytest.raises(BackupFailed, match="row-level security would hide rows"):
            await save(url, folder / "backup", **LIMITS)
    assert list(folder.iterdir()) == []
    await save(migrated_url, folder / "backup", **LIMITS)
    async with fresh(server) as empty, login(empty, "NOBYPASSRLS") as url:
        with pytest.raises(RestoreFailed, match="row-level security would hide rows"):
            await restore(url, folder / "backup", **LIMITS)
        assert await is_empty(empty)


async def test_a_login_that_is_no_superuser_backs_up_and_restores(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    *campaigns, key = await used(migrated_url)
    rows = await contents_of(migrated_url)
    async with login(migrated_url, "BYPASSRLS") as url:
        made = await save(url, folder / "backup", **LIMITS)
    assert made.inventory.members["ovasabi_owner"] == ["keeper"]
    async with fresh(server) as empty, login(empty, "BYPASSRLS CREATEROLE") as url:
        async with admin(empty) as connection:
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(f"ALTER DATABASE {name} OWNER TO keeper; GRANT ovasabi_app TO keeper")
        await restore(url, folder / "backup", **LIMITS)
        await is_whole(empty, rows, campaigns, key)


async def test_a_directory_that_cannot_be_written_is_refused_and_left_as_it_is(migrated_url: str, folder: Path) -> None:
    (folder / "file").write_text("mine")
    (folder / "there").mkdir()
    for path, problem in {
        "there": "already exists",
        "file": "already exists",
        "file/below": "cannot be written",
    }.items():
        with pytest.raises(BackupFailed, match=problem):
            await save(migrated_url, folder / path, **LIMITS)
    assert sorted(path.name for path in folder.iterdir()) == ["file", "there"]
    assert (folder / "file").read_text() == "mine"


async def test_a_database_without_an_installation_is_not_backed_up(empty_url: str, folder: Path) -> None:
    with pytest.raises(BackupFailed, match="no OVASABI installation"):
        await save(empty_url, folder / "backup", **LIMITS)
    assert list(folder.iterdir()) == []


async def test_what_takes_too_long_is_given_up_and_leaves_nothing(
    server: EmbeddedServer, migrated_url: str, folder: Path
) -> None:
    async with admin(migrated_url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE master")
        with pytest.raises(BackupFailed, match="was not complete within"):
            await save(migrated_url, folder / "backup", embedded=True, seconds=3)
    assert list(folder.iterdir()) == []
    await save(migrated_url, folder / "backup", **LIMITS)
    async with fresh(server) as url:
        async with admin(url) as connection, connection.transaction():
            await connection.execute("LOCK TABLE pg_catalog.pg_class IN SHARE MODE")
            restoring = asyncio.create_task(restore(url, folder / "backup", embedded=True, seconds=3))
            await asyncio.sleep(4)
        with pytest.raises(RestoreFailed, match="was not complete within"):
            await restoring
        assert await is_empty(url)
