"""What the roads of a database share: plain servers run with PostgreSQL's own tools, and a log with its consumers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import asyncpg
import msgspec

from ovasabi.database.bundled import bundled_binaries
from ovasabi.database.cluster import environment, initialise
from ovasabi.database.connection import Database
from ovasabi.database.os_user import OsUser, os_user_for
from ovasabi.database.postmaster import SUPERUSER, socket_url
from ovasabi.kernel.events.cursors import cursor_of
from ovasabi.kernel.events.log import Event, follow
from ovasabi.kernel.events.log_poll import end_of_log
from ovasabi.lifecycle import log_epochs, migrations, partitions
from tests.binaries import SECOND
from tests.integration.kernel.fixtures import make_campaign, pools, within
from tests.integration.kernel.watching_fixtures import log_of, titles, write

DATABASE = "ovasabi"
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "30",
    "max_locks_per_transaction": "512",
    "max_worker_processes": "20",
    "max_logical_replication_workers": "8",
    "max_sync_workers_per_subscription": "4",
    "max_wal_senders": "16",
    "max_replication_slots": "16",
    "wal_retrieve_retry_interval": "100ms",
}


class Server(msgspec.Struct):
    """A PostgreSQL server on a data directory, with its socket beside it."""

    data: Path
    version: str
    account: OsUser
    options: dict[str, str] = {}

    @property
    def binaries(self) -> Path:
        """Where its programs are."""
        return SECOND if self.version == "15" else bundled_binaries(int(self.version))

    @property
    def socket(self) -> Path:
        """Where its socket is. Not in the data directory: a base backup would include the socket's lock."""
        return self.data.with_suffix(".s")

    def url(self, database: str = DATABASE) -> str:
        """The address of a database."""
        return socket_url(self.socket, 5432, database)

    def to(self, database: str = DATABASE) -> list[str]:
        """The options with which a tool connects to a database."""
        return [f"--host={self.socket}", f"--username={SUPERUSER}", *([f"--dbname={database}"] if database else [])]

    async def create(self) -> None:
        """Makes an empty cluster."""
        self.account.let_pass(self.binaries / "postgres")
        await initialise(self.data, int(self.version), self.binaries, self.account, self.data.with_suffix(".log"))

    async def start(self) -> None:
        """Starts the server, and waits until it accepts connections."""
        options = OPTIONS | self.options | {"unix_socket_directories": str(self.socket)}
        settings = " ".join(f"-c {name}={value}" for name, value in options.items())
        log = self.data / "server.log"
        await self.tool("pg_ctl", f"--pgdata={self.data}", f"--log={log}", "--wait", f"--options={settings}", "start")

    async def stop(self) -> None:
        """Stops the server, if it runs."""
        if (self.data / "postmaster.pid").exists():
            await self.tool("pg_ctl", f"--pgdata={self.data}", "--wait", "--mode=fast", "stop")

    async def tool(self, name: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs; it has to succeed."""
        # Not a pipe: a server that pg_ctl has started would keep it open.
        with TemporaryFile() as output:
            process = await asyncio.create_subprocess_exec(
                self.binaries / name, *arguments, cwd=self.data.parent, env=environment(), start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, **self.account.identity(),
            )  # fmt: skip
            status = await asyncio.wait_for(process.wait(), 120)
            output.seek(0)
            assert status == 0, output.read().decode()

    async def run(self, *statements: str, database: str = DATABASE) -> None:
        """Runs statements as a superuser, each by itself."""
        connection = await asyncpg.connect(self.url(database), timeout=10)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def value(self, statement: str) -> object:
        """The value that a statement returns."""
        connection = await asyncpg.connect(self.url(), timeout=10)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


class Machine(msgspec.Struct):
    """A folder for servers, which all stop with it."""

    folder: Path
    account: OsUser
    running: AsyncExitStack

    def server(self, name: str, version: str, **options: str) -> Server:
        """A server that is not there yet; it is stopped in the end."""
        server = Server(self.folder / name, version, self.account, options)
        server.socket.mkdir()
        self.account.give(server.socket)
        self.running.push_async_callback(server.stop)
        return server

    async def migrated(self, name: str, version: str, **options: str) -> Server:
        """A running server with a migrated database."""
        server = self.server(name, version, **options)
        await server.create()
        await server.start()
        await server.run(f"CREATE DATABASE {DATABASE}", database="postgres")
        await migrations.upgrade(server.url())
        async with pools(server.url()) as database:
            await partitions.ensure(database, 1)
        return server


@asynccontextmanager
async def machine() -> AsyncIterator[Machine]:
    """A folder in which PostgreSQL's user can work. Not pytest's: other runs make that one private again."""
    with TemporaryDirectory(prefix="ovasabi-road-") as name:
        folder = Path(name)
        account = os_user_for(folder / "nothing")
        account.let_pass(folder / "data")
        account.give(folder)
        async with AsyncExitStack() as running:
            yield Machine(folder, account, running)


class Journey(msgspec.Struct):
    """A campaign's log before it moves, with the cursors of two consumers: one half way, and one at the end."""

    campaign: int
    half: str
    end: str
    seen: list[int]
    """The events up to the end."""
    unread: list[int]
    """Those after the consumer that is half way."""


async def departing(server: Server) -> Journey:
    """Writes a log on a server that has used up far more transactions than a new one."""
    await log_epochs.arrive(server.url())
    async with pools(server.url()) as database:
        campaign = await make_campaign(database)
        await write(database, campaign, "a", "b")
        half = (await events_after(database, campaign, None))[-1].cursor
        await server.run("DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        await write(database, campaign, "c", "d")
        unread = [event.id for event in await events_after(database, campaign, half)]
        end = cursor_of(await end_of_log(database))
    return Journey(campaign, half, end, await log_of(server.url(), campaign), unread)


async def arrived(server: Server, journey: Journey, *, reason: str | None) -> None:
    """Starts on the other end of a road: the log is complete and in one order, and its consumers go on."""
    assert await log_epochs.arrive(server.url()) == reason
    async with pools(server.url()) as database:
        await partitions.ensure(database, 1)
        assert await seen_by(database, journey.campaign, None) == journey.seen
        assert await seen_by(database, journey.campaign, journey.half) == journey.unread
        assert await seen_by(database, journey.campaign, journey.end) == []
        new: list[int] = []
        for title in ("e", "f", "g"):
            await write(database, journey.campaign, title)
            found = await events_after(database, journey.campaign, journey.end)
            assert titles(found)[-1] == title, "a new event is read at once"
            new = [event.id for event in found]
        assert await seen_by(database, journey.campaign, journey.half) == [*journey.unread, *new]
        assert await seen_by(database, journey.campaign, None) == [*journey.seen, *new]
    assert await log_of(server.url(), journey.campaign) == [*journey.seen, *new]
    assert await log_epochs.arrive(server.url()) is None


async def events_after(database: Database, campaign: int, after: str | None) -> list[Event]:
    """What a consumer reads after its cursor, page by page."""
    with within(campaign):
        return [event async for page in follow(database, after=after, batch=2) for event in page]


async def seen_by(database: Database, campaign: int, after: str | None) -> list[int]:
    """The ids of what a consumer reads after its cursor."""
    return [event.id for event in await events_after(database, campaign, after)]
