"""What the tests of kept answers share: statements overheard, clocks that are set, transactions that stay open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.database.pools import Pool
from ovasabi.kernel.call.transaction import transaction
from tests.integration.kernel.fixtures import pools, within

Call = Callable[[], Awaitable[Any]]

SNAPSHOT, LOG, SEARCH = "SELECT pg_current_snapshot()", "FROM service_event", "search_entities"
"""What the statements are known by: the look whether anything happened at all, the one at the log, and a search."""


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Overheard(list[str]):
    """The statements that were sent."""

    def counts(self) -> tuple[int, int, int]:
        """How many looks at the snapshot alone, looks at the log, and searches there were; it forgets them."""
        logs = sum(LOG in sent for sent in self)
        snapshots = sum(sent.startswith(SNAPSHOT) for sent in self)
        found = snapshots, logs, sum(SEARCH in sent for sent in self)
        self.clear()
        return found


@asynccontextmanager
async def overheard(url: str) -> AsyncIterator[tuple[Database, Overheard]]:
    """Pools of one connection each, and the statements that they send."""
    sent = Overheard()
    async with pools(url, readers=1, writers=1) as database:
        for pool in Pool:
            async with database._connection(pool, 5) as connection:
                connection.add_query_logger(lambda record: sent.append(record.query))
        yield database, sent


@asynccontextmanager
async def unfinished(database: Database, campaign: int) -> AsyncIterator[Callable[[Call], Awaitable[Any]]]:
    """Makes calls in a transaction of another task, which is committed when the block ends."""
    calls: asyncio.Queue[tuple[Call, asyncio.Future[Any]] | None] = asyncio.Queue()

    async def run() -> None:
        with within(campaign):
            async with transaction(database):
                while (asked := await calls.get()) is not None:
                    call, answer = asked
                    answer.set_result(await call())

    async def does(call: Call) -> Any:
        answer = asyncio.get_running_loop().create_future()
        calls.put_nowait((call, answer))
        await asyncio.wait((answer, running), return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else running.result()

    running = asyncio.create_task(run())
    try:
        yield does
    finally:
        calls.put_nowait(None)
        await running
