"""Faults of the server are told as unavailable at both doors, logged once in a while, and readiness knows of them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ovasabi import runtime
from ovasabi.database import faults
from ovasabi.gateway.grpc import health
from ovasabi.settings import Settings
from tests.conftest import fresh
from tests.integration.gateway.conftest import Clients, serving
from tests.integration.gateway.grpc_fixtures import Wire
from tests.integration.kernel.fixtures import admin, eventually, pools

pytestmark = pytest.mark.versions("18", "15")

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.title ~ '^[0-9A-Z]{5}$' THEN RAISE EXCEPTION 'could not do it' USING ERRCODE = NEW.title; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON service_content_main FOR EACH ROW EXECUTE FUNCTION refuse()"""
FAULTS = {
    "25006": "read-only",
    "53000": "limit of its resources",
    "53100": "disk is full",
    "53200": "out of memory",
    "53300": "no further connections",
    "53400": "limit of its resources",
    "55006": "in use",
    "57P03": "starting or stopping",
    "57P05": "starting or stopping",
    "58000": "files or its operating system",
    "58030": "files or its operating system",
    "58P01": "files or its operating system",
}
READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = on"
"""What a managed server does whose disk is full."""
ENDED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ovasabi' AND datname = $1"
)


class Place:
    """A process on a database of the test's own."""

    def __init__(self, url: str, client: httpx.AsyncClient, grpc_address: str, folder: Path) -> None:
        self.url, self.client, self.grpc_address, self.folder = url, client, grpc_address, folder
        self.shop = ""

    async def sql(self, *statements: str) -> None:
        """Runs statements as a superuser, which may write in any case; ends the sessions of the process."""
        async with admin(self.url) as connection:
            await connection.execute("SET default_transaction_read_only = off")
            name = await connection.fetchval("SELECT current_database()")
            for statement in statements:
                await connection.execute(statement.replace("{}", name))
            await connection.fetchval(ENDED, name)

    async def report(self) -> dict[str, Any]:
        """What `ovasabi status` tells of the database."""
        return await runtime.status(self.url, Settings(home=self.folder))

    async def ready(self, status: int) -> dict[str, Any]:
        """What the process tells of its readiness."""

        async def told() -> bool:
            return (await self.client.get("/readyz")).status_code == status

        await eventually(told)
        answer = await self.client.get("/readyz")
        assert ("retry-after" in answer.headers) == (status == 503)
        return dict(answer.json())

    async def serving(self) -> bool:
        """What the health service over gRPC tells."""
        async with grpc.aio.insecure_channel(self.grpc_address) as channel:
            answer = await HealthStub(channel).Check(HealthCheckRequest())
        return bool(answer.status == HealthCheckResponse.SERVING)


@pytest_asyncio.fixture
async def place(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """The process, with a campaign."""
    monkeypatch.setattr(health, "SECONDS", 0.2)
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
        made = Place(url, await clients.client(), grpc_address, folder)
        answer = await made.client.post("/v1/campaigns", json={"slug": "shop", "title": "shop"})
        assert answer.status_code == 201
        made.shop = "/v1/campaigns/shop/contents"
        yield made
        for client in clients.opened:
            await client.aclose()


def told(caplog: pytest.LogCaptureFixture, text: str) -> list[logging.LogRecord]:
    """The records of the log with a text."""
    return [record for record in caplog.records if text in record.getMessage()]


async def test_a_fault_of_the_server_is_unavailable_and_logged_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    await place.sql(REFUSE)
    for sqlstate, reason in FAULTS.items():
        caplog.clear()
        for _ in range(3):
            answer = await place.client.post(place.shop, json={"title": sqlstate}, headers={"x-request-timeout": "5"})
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), answer.text
            assert answer.headers["retry-after"] == "1"
            assert reason in answer.json()["detail"], (sqlstate, answer.text)
        assert len(told(caplog, f"could not do it (SQLSTATE {sqlstate})")) == 1, caplog.text
        assert "Traceback" not in caplog.text
    assert (await place.client.post(place.shop, json={"title": "and then"})).status_code == 201


async def test_a_server_that_is_read_only_is_unavailable_for_changes_and_not_ready(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    assert await place.ready(200) == {"status": "ready"}
    await eventually(place.serving)
    assert (await place.report())["writable"] is True
    await place.sql(READ_ONLY)
    told_of = await place.ready(503)
    assert (told_of["code"], told_of["detail"]) == (
        "not_ready",
        "The platform is not ready: the database is read-only.",
    )
    for _ in range(3):
        answer = await place.client.post(place.shop, json={"title": "x"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), answer.text
        assert "read-only" in answer.json()["detail"]
    assert (await place.client.get(place.shop)).status_code == 200, "it can still be read"
    assert len(told(caplog, "read-only transaction (SQLSTATE 25006)")) == 1
    assert "Traceback" not in caplog.text
    report = await place.report()
    assert (report["writable"], "read-only" in report["next_step"]) == (False, True)

    async def not_serving() -> bool:
        return not await place.serving()

    await eventually(not_serving)
    await place.sql("ALTER DATABASE {} RESET ALL")
    await place.ready(200)
    assert (await place.client.post(place.shop, json={"title": "x"})).status_code == 201


async def test_a_server_that_has_refused_a_change_is_not_ready_for_a_while(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.sql(REFUSE)
    await place.ready(200)
    answer = await place.client.post(place.shop, json={"title": "53100"})
    assert answer.status_code == 503
    assert "its disk is full" in (await place.ready(503))["detail"]
    assert (await place.client.post(place.shop, json={"title": "accepted"})).status_code == 201
    await place.ready(200)
    assert (await place.client.post(place.shop, json={"title": "53100"})).status_code == 503
    monkeypatch.setattr(faults, "REFUSED_SECONDS", 0.0)
    await place.ready(200)


async def test_the_month_that_new_ids_are_in_is_known_and_made(place: Place) -> None:
    number = "SELECT setval('id_clock', last_value + (100::bigint * 86400000 << 12)) FROM id_clock"
    await place.sql(number)
    assert "there are no partitions for" in (await place.ready(503))["detail"]
    report = await place.report()
    assert any(name.startswith("service_content_main_pool_") for name in report["partitions_missing"])
    assert report["next_step"] == "Run: ovasabi migrate"
    async with (
        serving(place.url, place.folder) as (address, _),  # a start makes them
        httpx.AsyncClient(base_url=address, headers=place.client.headers) as client,
    ):
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post(place.shop, json={"title": "of that month"})).status_code == 201
    assert (await place.report())["partitions_missing"] == []
    await place.ready(200)


async def test_the_same_over_grpc(place: Place) -> None:
    await place.sql(READ_ONLY)
    async with Wire(place.grpc_address, place.client.headers["authorization"]) as wire:
        told_of = await wire.ask("CreateContent", campaign="shop", content={"title": "x"})
    assert (told_of.status, told_of.code) == (grpc.StatusCode.UNAVAILABLE, "database_unavailable"), told_of
    assert told_of.details["RetryInfo"].retry_delay.seconds == 1


async def test_a_dedicated_campaign_has_as_many_months_as_the_settings_say(place: Place) -> None:
    count = "SELECT count(*) FROM pg_class WHERE relname ~ ('^service_content_main_c' || $1 || '_[0-9]{6}$')"
    async with (
        serving(place.url, place.folder, months_ahead=5) as (address, _),
        httpx.AsyncClient(base_url=address, headers=place.client.headers) as client,
    ):
        draft = {"slug": "own", "title": "own", "dedicated": True}
        number = (await client.post("/v1/campaigns", json=draft)).json()["campaign_id"]
        async with admin(place.url) as connection:
            assert await connection.fetchval(count, str(number)) == 6
