"""Metrics: who may read them, what they count at both doors, and that callers cannot add to their labels."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.gateway import metrics
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.service import declared_methods
from tests.conftest import fresh
from tests.integration.gateway.conftest import Clients, serving
from tests.integration.gateway.grpc_fixtures import Wire
from tests.integration.kernel.fixtures import admin, eventually, pools

pytestmark = pytest.mark.versions("18", "15")

SAMPLE = re.compile(r'(ovasabi_\w+)(?:\{((?:\w+="[^"\\\n]*",?)+)\})? (\d+(?:\.\d+)?)')
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Place:
    """A process on a database of the test's own, with a campaign, and clients of both doors."""

    def __init__(self, url: str, clients: Clients, wire: Wire) -> None:
        self.url, self.clients, self.wire = url, clients, wire
        self.client, self.campaign = clients.opened[0], 0

    async def samples(self) -> Samples:
        """The values by name and labels; each line is one, or says what the next ones are."""
        answer = await self.client.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{metrics.MEDIA_TYPE}; charset=utf-8")
        lines = answer.text.splitlines()
        assert [line for line in lines if line.startswith("# HELP")], answer.text
        found: Samples = {}
        for match, line in ((SAMPLE.fullmatch(line), line) for line in lines if not line.startswith("# ")):
            assert match is not None, line
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            assert (match[1], labels) not in found
            found[match[1], labels] = float(match[3])
        return found

    async def value(self, name: str, **labels: Any) -> float:
        """The sum of a metric over the samples with these labels."""
        wanted = {(label, str(value)) for label, value in labels.items()}
        return sum(value for (of, has), value in (await self.samples()).items() if of == name and has >= wanted)


@pytest_asyncio.fixture
async def place(server: Any, tmp_path: Path) -> AsyncIterator[Place]:
    """The process."""
    async with _placed(server, tmp_path) as made:
        yield made


@asynccontextmanager
async def _placed(server: Any, folder: Path) -> AsyncIterator[Place]:
    async with (
        fresh(server, "ovasabi") as url,
        pools(url, readers=1, writers=1) as database,
        serving(url, folder) as (address, grpc_address),
    ):
        clients = Clients(address, database)
        client = await clients.client()
        async with Wire(grpc_address, client.headers["authorization"]) as wire:
            made = Place(url, clients, wire)
            answer = await client.post("/v1/campaigns", json={"slug": "shop-of-somebody", "title": "shop"})
            made.campaign = answer.json()["campaign_id"]
            yield made
        for opened in clients.opened:
            await opened.aclose()


async def test_only_a_key_of_the_whole_platform_reads_them(place: Place) -> None:
    for header in (None, "Bearer", "Bearer x", "Basic eDp5", f"Bearer ovk_{'a' * 12}_{'b' * 43}"):
        answer = await place.clients.with_header(header).get("/metrics")
        assert (answer.status_code, "ovasabi_" in answer.text) == (401, False)
    confined = await place.clients.client(Role.ADMIN, place.campaign)
    assert (await confined.get("/metrics")).status_code == 403
    assert (await (await place.clients.client(Role.READER)).get("/metrics")).status_code == 200


async def test_calls_are_counted_at_both_doors_by_method_status_and_code(place: Place) -> None:
    path = "/v1/campaigns/shop-of-somebody/contents"
    assert (await place.client.post(path, json={"title": "x"})).status_code == 201
    assert (await place.client.get(f"{path}/1")).status_code == 404
    assert (await place.client.post(path, json={"title": 1})).status_code == 400
    assert (await place.clients.with_header(None).get(path)).status_code == 401
    await place.wire.ask("ListContents", campaign="shop-of-somebody")
    await place.wire.ask("GetContent", campaign="nowhere-at-all", id="1")
    name = "ovasabi_calls_total"
    assert await place.value(name, door="http", status=200, code="ok", method="contents_create") == 1
    assert await place.value(name, door="http", status=404, code="not_found") == 1
    assert await place.value(name, door="http", status=400) == 1
    assert await place.value(name, door="http", status=401, code="unauthenticated") == 1
    assert await place.value(name, door="grpc", status=200, code="ok", method="contents_list") == 1
    assert await place.value(name, door="grpc", status=404) == 1


async def test_no_caller_adds_to_the_labels(place: Place) -> None:
    before = {key for key, _ in (await place.samples()).items()}
    for number in range(30):
        await place.client.get(f"/v1/campaigns/nowhere-{number}/contents")
        await place.client.get(f"/v1/nothing-{number}", headers={"x-correlation-id": f"of-nobody-{number}"})
        await place.client.get(f"/v1/campaigns/shop-of-somebody/contents?unknown-{number}=1")
    after = await place.samples()
    assert len(after) - len(before) <= 2
    shown = str(after)
    assert not re.search("nowhere|nobody|somebody|unknown-|nothing|/v1|ovk_", shown)
    methods = {value for _, labels in after for label, value in labels if label == "method"}
    assert methods <= {method.id for method in declared_methods()}


async def test_what_the_process_and_its_servers_are_busy_with_is_told(place: Place) -> None:
    assert await place.value("ovasabi_server_up", server=0) == 1
    assert await place.value("ovasabi_calls_under_way") == 0
    for state in ("used", "idle"):
        assert await place.value("ovasabi_pool_connections", server=0, pool="read", state=state) >= 0
    assert await place.value("ovasabi_pool_size", server=0, pool="read") == 4
    assert await place.value("ovasabi_ids_ahead_seconds") == 0
    assert ("ovasabi_operations_running", frozenset({("server", "0")})) in await place.samples()
    query = {"after": "now"}
    async with place.client.stream("GET", "/v1/campaigns/shop-of-somebody/events:watch", params=query) as answer:
        await anext(answer.aiter_lines())
        assert await place.value("ovasabi_watches", server=0) == 1

    async def none() -> bool:
        return await place.value("ovasabi_watches") == 0

    await eventually(none)


async def test_the_lag_of_the_feed_and_the_oldest_transaction_are_told_without_a_watch(place: Place) -> None:
    before = await place.value("ovasabi_oldest_transaction_seconds", server=0)
    async with admin(place.url) as connection, connection.transaction():
        await connection.fetchval("SELECT pg_current_xact_id()")
        path = "/v1/campaigns/shop-of-somebody/contents"
        assert (await place.client.post(path, json={"title": "held"})).status_code == 201

        async def lags() -> bool:
            await asyncio.sleep(0.2)
            return await place.value("ovasabi_feed_lag_seconds", server=0) >= 0.5

        await eventually(lags)

    assert before < 0.5
    async with admin(place.url) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetch("SELECT 1 FROM pg_class")  # it only reads

        async def is_old() -> bool:
            await asyncio.sleep(0.2)
            return await place.value("ovasabi_oldest_transaction_seconds", server=0) >= 0.5

        await eventually(is_old)


async def test_a_server_that_does_not_answer_is_told_and_the_rest_too(database_url: str) -> None:
    absent = Database("postgresql://nobody@127.0.0.1:1/nothing")
    (sample,) = await metrics._asked(3, absent)
    assert (sample.name, sample.value, sample.labels) == ("ovasabi_server_up", 0, {"server": 3})
