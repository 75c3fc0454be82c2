"""A lost connection or server is an error that says so, or no error at all; never a hang, a lost or a doubled write."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.postmaster import socket_url
from ovasabi.database.roles import ensure_roles
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, caught, contents, eventually, kinds, pools, together, within

_OURS = "application_name = 'ovasabi' AND datname = current_database()"


async def terminate(url: str, condition: str = "true") -> int:
    """Ends the application's sessions on the server; answers how many."""
    async with admin(url) as connection:
        return await connection.fetchval(
            f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS} AND {condition}"
        )


async def blocked(url: str) -> bool:
    """Whether a session of the application waits for a lock."""
    async with admin(url) as connection:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS} AND wait_event_type = 'Lock'"
        return await connection.fetchval(query) > 0


async def titles(url: str, campaign: int) -> list[str]:
    """The titles of a campaign's contents, seen by a superuser; the same for each table that a create writes."""
    async with admin(url) as connection:
        queries = (
            "SELECT title FROM service_content_main WHERE campaign_id = $1",
            "SELECT name FROM master WHERE campaign_id = $1 AND type = 'content'",
            "SELECT payload ->> 'title' FROM service_event "
            "WHERE campaign_id = $1 AND event_type LIKE 'content:create:%'",
        )
        found = [sorted(row[0] for row in await connection.fetch(query, campaign)) for query in queries]
    assert found[0] == found[1] == found[2], "one statement, all or nothing"
    return found[0]


class Cutter:
    """A way to the server that can be cut just as its next answer comes."""

    def __init__(self, target: Path) -> None:
        self.target, self.armed, self.cuts = target, False, 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        server_reader, server_writer = await asyncio.open_unix_connection(str(self.target))

        async def up() -> None:
            while data := await reader.read(65536):
                server_writer.write(data)

        async def down() -> None:
            while data := await server_reader.read(65536):
                if self.armed:
                    self.armed, self.cuts = False, self.cuts + 1
                    return
                writer.write(data)

        tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        server_writer.close()


@asynccontextmanager
async def cuttable(server: EmbeddedServer, database: str, folder: Path) -> AsyncIterator[tuple[Cutter, Database]]:
    """Pools that reach a database of the server through a cutter."""
    cutter = Cutter(server.data / ".s.PGSQL.5432")
    listening = await asyncio.start_unix_server(cutter.carry, folder / ".s.PGSQL.5432")
    async with listening, pools(socket_url(folder, 5432, database), readers=1, writers=1) as own:
        yield cutter, own


async def test_reads_go_on_after_all_connections_were_terminated(database: Database, database_url: str) -> None:
    for _ in range(3):
        await together(4, lambda _: database.read("SELECT pg_sleep(0.02)"))
        assert await terminate(database_url) >= 4
        answers = await together(20, lambda n: database.read("SELECT $1::int", n))
        assert kinds(answers) == {"list": 20}
        assert [answer[0][0] for answer in answers] == list(range(20))


async def test_a_read_under_way_when_its_connection_is_terminated_is_sent_again(
    database: Database, database_url: str
) -> None:
    reading = asyncio.create_task(database.read("SELECT pg_sleep(0.5), 'read once more' AS answer"))

    async def started() -> bool:
        return await terminate(database_url, "state = 'active' AND query LIKE '%read once more%'") == 1

    await eventually(started)
    assert (await reading)[0]["answer"] == "read once more"


async def test_a_write_without_a_key_whose_connection_is_terminated_is_an_error_and_not_sent_again(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        async with admin(database_url) as connection, connection.transaction():
            await connection.execute("LOCK TABLE service_event IN EXCLUSIVE MODE")
            writing = asyncio.create_task(contents(database).create({"title": "unkeyed"}))
            await eventually(lambda: blocked(database_url))
            await terminate(database_url, "wait_event_type = 'Lock'")
            with pytest.raises(DatabaseUnavailable):
                await asyncio.wait_for(writing, 10)
        assert await titles(database_url, campaign) == []
        await contents(database).create({"title": "unkeyed"})
    assert await titles(database_url, campaign) == ["unkeyed"]


async def test_a_write_with_a_key_whose_connection_is_terminated_is_sent_again_and_done_once(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign):
        async with admin(database_url) as connection:
            async with connection.transaction():
                await connection.execute("LOCK TABLE service_event IN EXCLUSIVE MODE")
                writing = asyncio.create_task(contents(database).create({"title": "keyed"}, key="terminated"))
                await eventually(lambda: blocked(database_url))
                await terminate(database_url, "wait_event_type = 'Lock'")
                await eventually(lambda: blocked(database_url))
            made = await asyncio.wait_for(writing, 10)
        assert made == await contents(database).create({"title": "keyed"}, key="terminated")
    assert await titles(database_url, campaign) == ["keyed"]


@pytest.mark.parametrize("keyed", [True, False], ids=["with key", "without key"])
async def test_an_answer_that_is_lost_after_the_commit_leaves_exactly_one_row(
    server: EmbeddedServer, database_url: str, campaign: int, tmp_path_factory: pytest.TempPathFactory, keyed: bool
) -> None:
    folder = Path(tmp_path_factory.mktemp("c"))
    async with cuttable(server, urlsplit(database_url).path[1:], folder) as (cutter, database):
        repository: Repository[Content] = contents(database)
        with within(campaign):
            for number in range(3):  # the first prepares the statement, whose answer would be the one cut
                await repository.create({"title": f"warm {number}"}, key=f"warm {number}" if keyed else None)
            cutter.armed = True
            answer = await caught(repository.create({"title": "cut"}, key="cut" if keyed else None))
            assert cutter.cuts == 1
            assert isinstance(answer, Content if keyed else DatabaseUnavailable)
            if keyed:
                assert answer == await repository.create({"title": "cut"}, key="cut")
    assert await titles(database_url, campaign) == ["cut", "warm 0", "warm 1", "warm 2"]


async def test_a_transaction_whose_connection_is_terminated_is_undone_and_says_so(
    database: Database, database_url: str, campaign: int
) -> None:
    with within(campaign), pytest.raises(DatabaseUnavailable):  # noqa: PT012 (the block is the transaction)
        async with transaction(database):
            await contents(database).create({"title": "undone"})
            await terminate(database_url, "state = 'idle in transaction'")
            await contents(database).create({"title": "never"})
    assert await titles(database_url, campaign) == []


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user may pass through; pytest closes its own to all others."""
    with tempfile.TemporaryDirectory(prefix="ovasabi-test-") as name:
        yield Path(name)


async def test_reads_during_a_restart_of_the_server_fail_clearly_within_a_bound_and_then_recover(
    server: EmbeddedServer, folder: Path
) -> None:
    own = EmbeddedServer(folder / "postgres", version=server.version, binaries=server._binaries)
    async with own:
        await ensure_roles(own.url())
        async with pools(own.url(), readers=4, writers=2) as database:
            stop, longest, answers = asyncio.Event(), 0.0, []

            async def reader() -> None:
                nonlocal longest
                while not stop.is_set():
                    begun = time.monotonic()
                    answers.append(await caught(database.read("SELECT 1")))
                    longest = max(longest, time.monotonic() - begun)
                    await asyncio.sleep(0.005)

            readers = [asyncio.create_task(reader()) for _ in range(8)]
            await asyncio.sleep(0.2)
            await own.stop()
            down = await caught(database.write("SELECT 1"))
            with pytest.raises(DatabaseUnavailable):
                async with database.transaction():
                    pytest.fail("there is no server")
            await own.start()
            await database.read("SELECT 1")
            await asyncio.sleep(0.3)
            stop.set()
            await asyncio.wait_for(asyncio.gather(*readers), 40)
    assert isinstance(down, DatabaseUnavailable)
    assert set(kinds(answers)) <= {"list", "DatabaseUnavailable"}
    assert kinds(answers[-8:]) == {"list": 8}
    assert longest < 31, "no read waited longer than the time limit of a call"
