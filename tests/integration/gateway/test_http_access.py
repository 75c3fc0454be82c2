"""Who may do what over HTTP: nothing without a key, nothing beyond its role, nothing outside its campaign."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import httpx
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Role
from ovasabi.security import keys
from tests.integration.gateway.conftest import Clients
from tests.integration.kernel.fixtures import admin

PROCESSES = ("one", "three")


OPEN = ("/healthz", "/readyz", "/openapi.json", "/docs")


async def operations(client: httpx.AsyncClient) -> list[tuple[str, str, Any]]:
    """Every documented operation: method, path and description."""
    document = (await client.get("/openapi.json")).json()
    return [(method.upper(), path, it) for path, item in document["paths"].items() for method, it in item.items()]


def at(path: str, campaign: str) -> str:
    """A documented path with its places filled."""
    return path.replace("{campaign}", campaign).replace("{id}", "1")


async def test_nothing_is_reachable_without_a_valid_key(clients: Clients) -> None:
    wrong = [None, "Bearer", "Bearer x", "Basic eDp5", f"Bearer ovk_{'a' * 12}_{'b' * 43}"]
    for client in map(clients.with_header, wrong):
        for method, path, _ in await operations(client):
            answer = await client.request(method, at(path, "python"))
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_only_health_and_documentation_are_open(clients: Clients) -> None:
    nobody = clients.with_header(None)
    assert [(await nobody.get(path)).status_code for path in OPEN] == [200] * len(OPEN)


async def test_a_reader_changes_nothing(clients: Clients, operator: httpx.AsyncClient, shop: str) -> None:
    reader = await clients.client(Role.READER)
    for method, path, _ in await operations(reader):
        body = None if method == "GET" else {}
        asked = reader.build_request(method, at(path, shop.split("/")[-1]), json=body)
        answer = await reader.send(asked, stream=True)  # a watch has no end to wait for
        if method != "GET":
            await answer.aread()
        await answer.aclose()
        if method != "GET":
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), f"{method} {path}"
        else:
            assert answer.status_code != 403, f"{method} {path}"


async def test_a_writer_does_not_administer(clients: Clients, shop: str) -> None:
    writer = await clients.client(Role.WRITER)
    assert (await writer.post(f"{shop}/contents", json={"title": "x"})).status_code == 201
    for method, path in (("POST", "/v1/campaigns"), ("PATCH", shop), ("DELETE", shop), ("POST", "/v1/users")):
        assert (await writer.request(method, path, json={})).status_code == 403


async def test_a_key_of_one_campaign_opens_no_other(clients: Clients, operator: httpx.AsyncClient, shop: str) -> None:
    number = (await operator.get(shop)).json()["campaign_id"]
    other = f"{shop.split('/')[-1]}x"
    await operator.post("/v1/campaigns", json={"slug": other, "title": "other"})
    confined = await clients.client(Role.ADMIN, number)
    assert (await confined.get(f"{shop}/contents")).status_code == 200
    for campaign in (other, "does-not-exist", "0", "999999"):
        for method, path, _ in await operations(confined):
            answer = await confined.request(method, at(path, campaign), json=None if method == "GET" else {})
            assert answer.status_code == 403, f"{method} {path} in {campaign}: {answer.text}"


@pytest.mark.inside
async def test_an_expired_or_revoked_key_is_refused(
    clients: Clients, database: Database, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=1)

    soon = datetime.now(UTC) + timedelta(minutes=30)
    expiring = clients.with_header(f"Bearer {await keys.create_key(database.url, 'e', Role.READER, expires_at=soon)}")
    assert (await expiring.get(f"{shop}/contents")).status_code == 200
    monkeypatch.setattr(keys, "datetime", Later)
    assert (await expiring.get(f"{shop}/contents")).status_code == 401
    monkeypatch.setattr(keys, "CACHED_SECONDS", 0.0)
    key = await keys.create_key(database.url, "r", Role.READER)
    revoked = clients.with_header(f"Bearer {key}")
    assert (await revoked.get(f"{shop}/contents")).status_code == 200
    await keys.revoke_key(database.url, key.split("_")[1])
    assert (await revoked.get(f"{shop}/contents")).status_code == 401


async def test_the_database_keeps_no_key(database: Database) -> None:
    key = await keys.create_key(database.url, "kept", Role.READER)
    async with admin(database.url) as connection:
        rows = await connection.fetch("SELECT * FROM api_key")
    assert all(key.split("_", 2)[2] not in str(dict(row)) for row in rows)
    assert all(not hasattr(listed, "digest") for listed in await keys.list_keys(database.url))
