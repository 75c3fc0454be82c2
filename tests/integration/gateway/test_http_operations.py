"""Long-running operations over HTTP: started, followed, cancelled, their output downloaded, and refused where due."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from ovasabi.kernel.call.context import Role
from tests.integration.gateway.conftest import Clients


async def finished(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """The operation at an address, when it is finished."""
    for _ in range(600):
        answer = await client.get(address)
        assert answer.status_code == 200, answer.text
        if answer.json()["finished_at"] is not None:
            return dict(answer.json())
        await asyncio.sleep(0.05)
    raise AssertionError(f"it did not finish: {answer.text}")


def lines(count: int) -> str:
    """Contents to import."""
    return "".join(json.dumps({"title": f"Title {n}"}) + "\n" for n in range(count))


async def test_an_import_and_an_export_from_start_to_download(operator: httpx.AsyncClient, shop: str) -> None:
    started = await operator.post(f"{shop}/contents:import", json={"data": lines(700)})
    assert started.status_code == 202, started.text
    assert started.json()["state"] == "queued"
    assert started.headers["location"] == f"{shop}/operations/{started.json()['id']}"
    assert started.headers["etag"] == '"1"'
    done = await finished(operator, started.headers["location"])
    assert (done["state"], done["done"], done["total"]) == ("succeeded", 700, 700)
    assert done["result"] == {"created": 700, "present": 0, "rejected": 0, "rejects": []}
    exported = await operator.post(f"{shop}/contents:export", json={})
    done = await finished(operator, exported.headers["location"])
    text, after = "", 0
    while after is not None:
        page = (await operator.get(f"{exported.headers['location']}:download?after={after}")).json()
        text, after = text + page["data"], page["next"]
    assert len({json.loads(line)["title"] for line in text.splitlines()}) == 700
    listed = (await operator.get(f"{shop}/operations?filter=state = succeeded")).json()
    assert [operation["kind"] for operation in listed["operations"]] == ["contents_export", "contents_import"]


async def test_a_start_under_a_key_is_answered_alike(operator: httpx.AsyncClient, shop: str) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    first = await operator.post(f"{shop}/contents:import", json={"data": lines(3)}, headers=headers)
    await finished(operator, first.headers["location"])
    again = await operator.post(f"{shop}/contents:import", json={"data": lines(3)}, headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    other = await operator.post(f"{shop}/contents:import", json={"data": lines(4)}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert len((await operator.get(f"{shop}/operations")).json()["operations"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": ""}, "data"),
        ({"data": "x", "fromat": "csv"}, "fromat"),
        ({"data": "x", "format": "xml"}, "format"),
        ({"data": 7}, "data"),
    ],
)
async def test_a_request_that_is_wrong_starts_nothing(
    operator: httpx.AsyncClient, shop: str, body: dict[str, Any], field: str
) -> None:
    answer = await operator.post(f"{shop}/contents:import", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    assert (await operator.get(f"{shop}/operations")).json()["operations"] == []


async def test_a_failed_one_tells_its_typed_error(operator: httpx.AsyncClient, shop: str) -> None:
    started = await operator.post(f"{shop}/contents:import", json={"data": "titel\nx\n", "format": "csv"})
    done = await finished(operator, started.headers["location"])
    assert done["state"] == "failed"
    assert done["error"]["code"] == "not_importable"
    assert done["error"]["hint"] == "Did you mean title?"
    assert done["error"]["correlation_id"] == started.headers["x-correlation-id"]
    refused = await operator.get(f"{started.headers['location']}:download")
    assert (refused.status_code, refused.json()["code"]) == (409, "operation_without_output")


async def test_a_finished_one_is_not_cancelled_and_can_be_deleted(operator: httpx.AsyncClient, shop: str) -> None:
    started = await operator.post(f"{shop}/contents:export", json={})
    address = started.headers["location"]
    await finished(operator, address)
    refused = await operator.post(f"{address}:cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")
    assert (await operator.delete(address)).status_code == 200
    for gone in (await operator.get(address), await operator.get(f"{address}:download")):
        assert gone.status_code == 404


async def test_a_running_one_is_cancelled_and_meanwhile_not_deleted(operator: httpx.AsyncClient, shop: str) -> None:
    started = await operator.post(f"{shop}/contents:import", json={"data": lines(20_000)})
    address = started.headers["location"]
    refused = await operator.delete(address)
    assert (refused.status_code, refused.json()["code"]) == (409, "operation_not_finished")
    cancelled = await operator.post(f"{address}:cancel")
    assert cancelled.status_code == 200
    done = await finished(operator, address)
    assert done["state"] == "cancelled"
    total = (await operator.get(f"{shop}/contents?include_total=true&page_size=1")).json()["total_size"]
    assert total == (done["result"] or {"created": 0})["created"] < 20_000


async def test_who_may_only_read_starts_and_cancels_nothing(
    operator: httpx.AsyncClient, clients: Clients, shop: str
) -> None:
    number = (await operator.get(shop)).json()["campaign_id"]
    reader = await clients.client(Role.READER, number)
    started = await operator.post(f"{shop}/contents:export", json={})
    address = started.headers["location"]
    for path in (f"{shop}/contents:export", f"{shop}/contents:import", f"{address}:cancel"):
        assert (await reader.post(path, json={})).status_code == 403
    assert (await reader.delete(address)).status_code == 403
    await finished(reader, address)
    assert (await reader.get(f"{address}:download")).status_code == 200
    writer = await clients.client(Role.WRITER)
    assert (await writer.post("/v1/users:import", json={"data": "{}"})).status_code == 403


async def test_a_key_of_another_campaign_gets_at_nothing_of_it(
    operator: httpx.AsyncClient, clients: Clients, shop: str
) -> None:
    started = await operator.post(f"{shop}/contents:export", json={})
    address = started.headers["location"]
    await finished(operator, address)
    slug = f"h{uuid.uuid4().hex[:10]}"
    other = (await operator.post("/v1/campaigns", json={"slug": slug, "title": slug})).json()["campaign_id"]
    stranger = await clients.client(Role.ADMIN, other)
    elsewhere = f"/v1/campaigns/{slug}/operations/{started.json()['id']}"
    for suffix in ("", ":download"):
        assert (await stranger.get(address + suffix)).status_code == 403
        assert (await stranger.get(elsewhere + suffix)).status_code == 404
        assert (await operator.get(f"/v1/operations/{started.json()['id']}{suffix}")).status_code == 404
    assert (await stranger.post(f"{elsewhere}:cancel")).status_code == 404
    assert (await stranger.delete(elsewhere)).status_code == 404
    assert (await stranger.post("/v1/users:export", json={})).status_code == 403
    assert (await operator.get(address)).status_code == 200


async def test_nobody_makes_or_changes_one_by_hand(operator: httpx.AsyncClient, shop: str) -> None:
    started = await operator.post(f"{shop}/contents:export", json={})
    address = started.headers["location"]
    assert (await operator.post(f"{shop}/operations", json={"kind": "x"})).status_code == 405
    assert (await operator.patch(address, json={"state": "succeeded"})).status_code == 405
    for path in (f"{address}:restore", f"{address}:start", f"{shop}/operations:import"):
        assert (await operator.post(path, json={})).status_code == 404


async def test_those_of_the_platform_are_at_the_platform(operator: httpx.AsyncClient) -> None:
    started = await operator.post("/v1/users:export", json={"filter": 'username = "nobody-at-all"'})
    assert started.status_code == 202, started.text
    assert started.headers["location"] == f"/v1/operations/{started.json()['id']}"
    done = await finished(operator, started.headers["location"])
    assert done["result"] == {"entities": 0, "bytes": 0}


async def test_the_description_tells_what_the_result_is(operator: httpx.AsyncClient) -> None:
    document = (await operator.get("/openapi.json")).json()
    operation = document["paths"]["/v1/campaigns/{campaign}/contents:import"]["post"]
    assert "Its result is of type `ImportResult`." in operation["description"]
    assert {"$ref": "#/components/parameters/key"} in operation["parameters"]
    whole, result = operation["responses"]["202"]["content"]["application/json"]["schema"]["allOf"]
    assert whole == {"$ref": "#/components/schemas/Operation"}
    assert result["properties"]["result"]["anyOf"][0] == {"$ref": "#/components/schemas/ImportResult"}
    assert {"created", "rejects"} <= set(document["components"]["schemas"]["ImportResult"]["properties"])
    assert "OperationDraft" not in document["components"]["schemas"]
