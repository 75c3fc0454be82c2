"""More calls than may wait are refused at once, with what to do; the others are served, and the server goes on."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.kernel.batching.batcher import Limits
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.store import repository
from ovasabi.security.keys import create_key
from tests.conftest import eventually
from tests.integration.gateway.conftest import serving

ROWS, WAITING, BURST = 2, 12, 40


@pytest_asyncio.fixture
async def narrow(
    database_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with little room to wait in."""
    small = partial(Limits, statements=1, rows=ROWS, waiting_rows=WAITING)
    monkeypatch.setattr(repository, "Limits", small)
    key = await create_key(database.url, "test", Role.ADMIN)
    async with (
        serving(database_url, tmp_path) as (address, _),
        httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {key}"}, timeout=30) as client,
    ):
        yield client


async def shops(client: httpx.AsyncClient, count: int) -> list[str]:
    """The paths of new campaigns, each with a content in it."""
    paths = []
    for _ in range(count):
        slug = f"h{uuid.uuid4().hex[:10]}"
        assert (await client.post("/v1/campaigns", json={"slug": slug, "title": slug})).status_code == 201
        paths.append(f"/v1/campaigns/{slug}")
        assert (await client.post(f"{paths[-1]}/contents", json={"title": "first"})).status_code == 201
    return paths


async def test_a_burst_beyond_the_waiting_room_is_refused_with_429_and_the_server_goes_on(
    narrow: httpx.AsyncClient, database_url: str
) -> None:
    crowd, quiet = await shops(narrow, 2)
    locking = await asyncpg.connect(database_url)
    try:
        async with locking.transaction():
            await locking.execute("LOCK TABLE service_event IN EXCLUSIVE MODE")
            burst = [
                asyncio.ensure_future(narrow.post(f"{crowd}/contents", json={"title": f"{n}"})) for n in range(BURST)
            ]

            async def refused_ones() -> bool:
                return sum(task.done() for task in burst) >= BURST - ROWS - WAITING // 2

            await eventually(refused_ones)
            other = asyncio.ensure_future(narrow.post(f"{quiet}/contents", json={"title": "quiet"}))
            # What is read does not wait for what is written, nor does the server's own health.
            (first,) = (await narrow.get(f"{quiet}/contents")).json()["contents"]
            assert (await narrow.get(f"{quiet}/contents/{first['id']}")).status_code == 200
            assert (await narrow.get("/healthz")).status_code == 200
            assert not other.done()
        answers = await asyncio.wait_for(asyncio.gather(*burst), 30)
        assert (await asyncio.wait_for(other, 30)).status_code == 201, "one campaign does not take the room of another"
    finally:
        await locking.close()
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(answers) - len(refused) <= ROWS + WAITING // 2
    assert len(answers) - len(refused) >= WAITING // 2
    for answer in refused:
        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["code"]) == (429, 429, "overloaded")
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) >= 1
        assert problem["hint"]
        assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    made = {answer.json()["title"] for answer in answers if answer.status_code == 201}
    page = (await narrow.get(f"{crowd}/contents", params={"page_size": 100})).json()["contents"]
    assert {content["title"] for content in page} == made | {"first"}
    again = await asyncio.gather(*(narrow.post(f"{crowd}/contents", json={"title": f"{n}"}) for n in range(4)))
    assert {answer.status_code for answer in again} == {201}
