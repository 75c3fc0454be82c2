"""Whatever a database always refuses is tried as often as the budget says, whoever asks, and never past a deadline."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from ovasabi.database import connection
from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.pools import Pool
from ovasabi.database.postmaster import socket_url
from ovasabi.database.retry import CONTENTION, STATEMENT, Policy
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call import transaction as transactions
from ovasabi.kernel.call.context import acting, current
from ovasabi.kernel.call.errors import Contended
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.events.log_poll import end_of_log, persistently
from ovasabi.kernel.events.subscriptions import Subscriptions, WatchLimits
from ovasabi.kernel.service import ServiceRegistry, entity_service
from ovasabi.kernel.store import partitions, writer
from ovasabi.kernel.store.rows import Change, NewEntity
from ovasabi.kernel.transfer import importer
from ovasabi.kernel.transfer.batches import Batch, Row
from ovasabi.kernel.transfer.importer import Importer
from ovasabi.kernel.transfer.lines import Line
from ovasabi.services.content.entity import Content
from tests.integration.drafts import Maker
from tests.integration.kernel.fixtures import admin, pools, together, within
from tests.integration.services.calls import call

pytestmark = pytest.mark.versions("18")
BUDGET = 5
QUICK = Policy(attempts=4, first=0.01, longest=0.02)
NEVER = Policy(attempts=BUDGET, first=100.0, longest=100.0)
"""Pauses that reach past every deadline of these tests."""

REFUSALS = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM nextval('refusals');  -- which no rollback takes back
  RAISE EXCEPTION 'refused' USING ERRCODE = TG_ARGV[0];
END $$;
CREATE FUNCTION refuse_lock() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM nextval('refusals');
  RAISE EXCEPTION 'refused' USING ERRCODE = '55P03';
END $$"""
REFUSE = "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON master FOR EACH STATEMENT EXECUTE FUNCTION refuse('{}')"


class Refusals:
    """How often the server has refused."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def counted(self) -> int:
        """So often since it was last asked."""
        count = await self._connection.fetchval("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals")
        await self._connection.execute("ALTER SEQUENCE refusals RESTART")
        return int(count)


@asynccontextmanager
async def refusing(url: str, sqlstate: str) -> AsyncIterator[Refusals]:
    """The server refuses every write of an entity with that SQLSTATE."""
    async with admin(url) as connection:
        await connection.execute(REFUSALS)
        await connection.execute(REFUSE.format(sqlstate))
        try:
            yield Refusals(connection)
        finally:
            await connection.execute("DROP TRIGGER refuse ON master")
            await connection.execute("DROP FUNCTION refuse, refuse_lock; DROP SEQUENCE refusals")


class Unused:
    """Takes the lines that an import refuses."""

    def __init__(self) -> None:
        self.refused: list[Exception] = []

    def write(self, line: Line, refusal: Exception) -> None:
        """Keeps why."""
        self.refused.append(refusal)

    def close(self) -> None:
        """Nothing is open."""


def batch(count: int) -> Batch:
    """Lines to import."""
    rows = [Row(Line(n, b"", n), NewEntity({"title": f"{n}"}, key=f"import:{n}")) for n in range(count)]
    return Batch(rows, [], count)


async def imported(registry: ServiceRegistry, count: int) -> tuple[Importer, list[Exception]]:
    """What became of an import of so many contents."""
    rejects = Unused()
    made = Importer(registry.named("content"), rejects)
    await made.run(iter([batch(count)]))
    return made, rejects.refused


class World:
    """What there is before the server refuses: something of each kind to call."""

    def __init__(self, registry: ServiceRegistry) -> None:
        self.registry = registry
        self.database = registry.database
        self.contents = registry.named("content")

    async def furnish(self) -> "World":
        """Makes it."""
        self.content: Content = await self.contents.create({"title": "there"})
        self.other: Content = await self.contents.create({"title": "there too"})
        self.quote = await Maker(self.registry, self.content.campaign_id).create("quote")
        return self


async def in_a_transaction(world: World) -> Any:
    """A block that is begun again."""
    return await atomically(world.database, lambda: world.contents.create({"title": "x"}))


CALLERS: dict[str, Callable[[World], Awaitable[Any]]] = {
    "create": lambda world: world.contents.create({"title": "x"}),
    "create with a key": lambda world: world.contents.create({"title": "x"}, key="k"),
    "create of many": lambda world: world.contents.create_many([NewEntity({"title": f"{n}"}) for n in range(20)]),
    "update": lambda world: world.contents.update(world.content.id, {"body": "x"}),
    "update of many": lambda world: world.contents.repository.update_many(
        [Change(world.content.id, {"body": "x"}), Change(world.other.id, {"body": "x"})]
    ),
    "update under a rule": lambda world: world.registry.named("quote").update(world.quote.id, {"description": "y"}),
    "delete": lambda world: world.contents.delete(world.content.id),
    "a block in a transaction": in_a_transaction,
    "a verb": lambda world: call(world.contents, "publish", world.content.id),
}

ALONE = {"create of many": 20, "update of many": 2}
"""The rows of a statement that is given up: each is sent once more, by itself."""


@pytest.fixture
async def world(registry: ServiceRegistry, campaign: int) -> World:
    """In a campaign of its own."""
    with within(campaign):
        return await World(registry).furnish()


def as_error(answer: Any) -> set[str]:
    """The errors that an answer is, or is made of."""
    return {type(one).__name__ for one in (answer if isinstance(answer, list) else [answer])}


@pytest.mark.parametrize("asked", CALLERS)
async def test_a_statement_that_is_always_rolled_back_is_sent_as_often_as_the_budget_says(
    world: World, database_url: str, campaign: int, asked: str
) -> None:
    async with refusing(database_url, "40001") as refusals:
        with within(campaign):
            (answer,) = await together(1, lambda _: CALLERS[asked](world))
        assert await refusals.counted() == BUDGET + ALONE.get(asked, 0)
    assert as_error(answer) == {"Contended"}


@pytest.mark.parametrize("asked", [name for name in CALLERS if "many" not in name])
async def test_a_key_that_is_always_taken_meanwhile_is_looked_at_as_often_as_the_budget_says(
    world: World, database_url: str, campaign: int, asked: str
) -> None:
    async with refusing(database_url, "23505") as refusals:
        with within(campaign):
            (answer,) = await together(1, lambda _: CALLERS[asked](world))
        assert await refusals.counted() == BUDGET
    assert as_error(answer) == {"Contended"}


@pytest.mark.parametrize("asked", CALLERS)
async def test_no_retry_sleeps_past_the_deadline_of_its_caller(
    world: World, database_url: str, campaign: int, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr(connection, "STATEMENT", NEVER)
    for module in (transactions, writer, entity_service):
        monkeypatch.setattr(module, "CONTENTION", NEVER)
    clock = asyncio.get_running_loop().time
    deadline = clock() + 40
    async with refusing(database_url, "40001") as refusals:
        with within(campaign), acting(msgspec.structs.replace(current(), deadline=deadline)):
            (answer,) = await together(1, lambda _: CALLERS[asked](world))
        assert await refusals.counted() == 1 + ALONE.get(asked, 0)
    assert as_error(answer) <= {"Contended", "DeadlineExceeded"}
    assert clock() < deadline + 1


async def test_verbs_whose_statements_are_merged_share_the_budget_of_the_statement(
    world: World, database_url: str, campaign: int
) -> None:
    with within(campaign):
        many = await world.contents.create_many([NewEntity({"title": f"{n}"}) for n in range(16)])
        async with refusing(database_url, "40001") as refusals:
            answers = await together(16, lambda n: call(world.contents, "publish", many[n].id))
            # Two statements at a time, of those that were read together.
            assert await refusals.counted() <= 16 * (BUDGET + 1)
    assert {type(answer) for answer in answers} == {Contended}


async def test_an_import_is_patient_alone_and_refuses_rows_that_stay_contended(
    world: World, database_url: str, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE", QUICK)
    async with refusing(database_url, "40001") as refusals:
        with within(campaign):
            made, refused = await imported(world.registry, 50)
        # All together as often as the patience says, and then once in each half of a half, down to single rows.
        assert await refusals.counted() == (QUICK.attempts or 0) + 2 * 50 - 2
    assert (made.tally.created, made.tally.rejected) == (0, 50)
    assert {type(error) for error in refused} == {Contended}


async def test_a_table_that_stays_locked_is_waited_for_as_often_as_the_budget_says(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_SHORT_LOCKS", QUICK)
    async with refusing(database_url, "40001") as refusals:
        with pytest.raises(DatabaseUnavailable, match="locked by a long transaction"):
            await partitions.execute_with_short_locks(database, "SELECT refuse_lock()")
        assert await refusals.counted() == QUICK.attempts


class Door:
    """A way to the server that can be closed: then it takes connections, and ends them at once.

    `asked` counts the attempts to have a connection from then on. (At the door itself the driver's pools knock too,
    which restore their connections beside all calls.)
    """

    def __init__(self, target: Path) -> None:
        self.target, self.asked, self._closed = target, 0, False
        self._carried: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection."""
        if self._closed:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        there_reader, there_writer = await asyncio.open_unix_connection(str(self.target))
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        writer.close()
        there_writer.close()

    async def close(self) -> None:
        """Ends what there is, and takes nothing any more."""
        self._closed = True
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)
        self.asked = 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.fixture
async def behind(
    server: EmbeddedServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Door, Database]]:
    """Pools behind a door."""
    with tempfile.TemporaryDirectory(prefix="ov-") as folder:
        door = Door(server.data / ".s.PGSQL.5432")
        listening = await asyncio.start_unix_server(door.carry, Path(folder) / ".s.PGSQL.5432")
        url = socket_url(Path(folder), 5432, urlsplit(database_url).path[1:])
        async with listening, pools(url, readers=1, writers=1) as database:
            connect = database._connection

            def counted(pool: Pool, limit: float) -> Any:
                door.asked += 1
                return connect(pool, limit)

            monkeypatch.setattr(database, "_connection", counted)
            yield door, database


READERS: dict[str, Callable[[World], Awaitable[Any]]] = {
    "read": lambda world: world.database.read("SELECT 1"),
    "get": lambda world: world.contents.get(world.content.id),
    "a verb, which reads first": lambda world: call(world.contents, "publish", world.content.id),
    "update under a rule, which reads first": CALLERS["update under a rule"],
    "create": CALLERS["create"],
    "create with a key": CALLERS["create with a key"],
}


@pytest.mark.parametrize("asked", READERS)
async def test_a_server_that_takes_no_connections_is_asked_as_often_as_the_budget_says(
    behind: tuple[Door, Database], campaign: int, asked: str
) -> None:
    door, database = behind
    with within(campaign):
        world = await World(ServiceRegistry(database)).furnish()
        await door.close()
        (answer,) = await together(1, lambda _: READERS[asked](world))
    assert as_error(answer) == {"DatabaseUnavailable"}
    assert door.asked == BUDGET


async def test_an_import_asks_a_server_that_is_away_as_often_as_its_own_patience_says(
    behind: tuple[Door, Database], campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, database = behind
    monkeypatch.setattr(importer, "PATIENCE", QUICK)
    await door.close()
    with within(campaign), pytest.raises(DatabaseUnavailable):
        await imported(ServiceRegistry(database), 3)
    assert door.asked == QUICK.attempts


async def test_a_tail_of_the_log_asks_a_server_that_is_away_as_often_as_its_own_patience_says(
    behind: tuple[Door, Database], campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, database = behind
    asked = 0

    async def ask() -> Any:
        nonlocal asked
        asked += 1
        return await end_of_log(database)

    await ask()
    await door.close()
    asked = 0
    with pytest.raises(DatabaseUnavailable, match="could not be read for 1 seconds"):
        await persistently(ask, 1)
    assert asked > 1
    assert door.asked == asked


async def test_watchers_of_a_server_that_is_away_ask_it_through_one_statement_that_is_not_sent_again_by_itself(
    behind: tuple[Door, Database], campaign: int
) -> None:
    door, database = behind
    subscriptions = Subscriptions(database, WatchLimits(patience_seconds=1))
    with within(campaign):
        watch = subscriptions.watch(after="now", heartbeat_seconds=30)
    await anext(watch)
    await door.close()
    with pytest.raises(DatabaseUnavailable, match="could not be read for 1 seconds"):
        await anext(watch)
    # Pauses of 0.05 s at least for the first, twice as long for the next, and so on: at most so many in a second.
    assert 2 <= door.asked <= 8
    await subscriptions.close()


def test_the_budgets_are_as_these_tests_take_them() -> None:
    assert (STATEMENT.attempts, CONTENTION.attempts, writer.PASSES) == (BUDGET, BUDGET, BUDGET)
