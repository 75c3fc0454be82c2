"""A server that hangs, or whose connections are cut, keeps nobody waiting beyond the deadline, and is used again."""

import asyncio
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.errors import DatabaseUnavailable, DeadlineExceeded
from tests.faults.conftest import Behind
from tests.faults.proxy import proxied
from tests.integration.kernel.fixtures import caught, eventually

BOUND = 20.0
"""No wait here may last so long, however busy the machine is; without a bound, each would last far longer."""
PATIENT = 60.0
"""The limit of a statement in pools whose callers are less patient."""


async def bounded(work: Any) -> Any:
    """What some work answers in time."""
    return await asyncio.wait_for(work, BOUND)


async def used_again(behind: Behind) -> None:
    """Waits until calls succeed again."""

    async def succeeds() -> bool:
        answers = await asyncio.gather(
            *(behind.client.post(behind.path, json={"title": "again"}) for _ in range(4)),
            *(behind.client.get(behind.path) for _ in range(4)),
        )
        return {answer.status_code for answer in answers} == {200, 201}

    await eventually(succeeds, 30)


@pytest.mark.parametrize("headers", [{"x-request-timeout": "1"}, {}], ids=["its own deadline", "the setting's"])
async def test_calls_to_a_server_that_hangs_end_at_their_deadlines(behind: Behind, headers: dict[str, str]) -> None:
    assert (await behind.client.get("/readyz")).status_code == 200
    behind.proxy.hang()
    calls = [
        behind.client.post(behind.path, json={"title": "x"}, headers=headers),
        behind.client.get(behind.path, headers=headers),
        behind.client.post("/v1/campaigns", json={"slug": "other", "title": "x"}, headers=headers),
        behind.client.post(f"{behind.path}:import", json={}, headers=headers),
        behind.client.get("/readyz"),
    ]
    for answer in await bounded(asyncio.gather(*calls)):
        assert answer.status_code in (503, 504), answer.text
    behind.proxy.resume()
    await used_again(behind)


async def test_connections_that_are_cut_are_replaced(behind: Behind) -> None:
    await asyncio.gather(*(behind.client.get(behind.path) for _ in range(8)))
    behind.proxy.cut()
    for _ in range(3):
        assert (await bounded(behind.client.get(behind.path))).status_code == 200
    await used_again(behind)


@pytest.fixture
def url(database_url: str) -> str:
    """The database of the module."""
    return database_url


async def test_every_path_through_the_pools_ends_at_its_deadline(url: str) -> None:
    async with proxied(url) as proxy:
        database = await Database(proxy.url(url), readers=2, writers=2, timeout_seconds=PATIENT).open()

        async def several(*, begun: bool) -> None:
            async with database.transaction(1) as opened:
                await opened.execute("SELECT 1")
                if begun:
                    proxy.hang()
                await opened.execute("SELECT 1", timeout=1)

        assert isinstance(await bounded(caught(several(begun=True))), DeadlineExceeded | DatabaseUnavailable)
        paths = [
            database.read("SELECT 1", timeout=0.5),
            database.write("SELECT 1", timeout=0.5),
            database.write("SELECT 1", timeout=0.5, again=True),
            database.write("SELECT 1", timeout=0.5, guard=(1, "a", 1)),
            several(begun=False),
        ]
        for answer in await bounded(asyncio.gather(*map(caught, paths))):
            assert isinstance(answer, DeadlineExceeded | DatabaseUnavailable), answer
        await bounded(database.close())


async def test_a_cancelled_statement_lets_its_task_end_although_the_server_hangs(url: str) -> None:
    async with proxied(url) as proxy:
        database = await Database(proxy.url(url), readers=1, writers=1, timeout_seconds=PATIENT).open()
        started = asyncio.Event()

        async def several() -> None:
            async with database.transaction() as opened:
                await opened.execute("SELECT 1")
                started.set()
                await opened.execute("SELECT pg_sleep(60)")

        tasks = [asyncio.create_task(several()), asyncio.create_task(database.read("SELECT pg_sleep(60)"))]
        await started.wait()
        proxy.hang()
        for task in tasks:
            task.cancel()
        _, running = await asyncio.wait(tasks, timeout=4)
        assert not running
        assert all(task.cancelled() for task in tasks)
        await bounded(database.close())
