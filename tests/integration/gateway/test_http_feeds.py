"""The registry, the event feed, search and the documents over HTTP; and what a call costs."""

import asyncio
from typing import Any

import httpx
import pytest

from ovasabi.database.connection import Database

PROCESSES = ("one", "three")


async def test_the_feed_gives_each_event_once_and_in_order(operator: httpx.AsyncClient, shop: str) -> None:
    async def write(number: int) -> None:
        place = (await operator.post(f"{shop}/contents", json={"title": f"{number}"})).headers["location"]
        await operator.patch(place, json={"title": f"{number}!"})

    writing = asyncio.gather(*(write(number) for number in range(30)))
    seen: list[dict[str, Any]] = []
    after = ""
    while True:
        done = writing.done()
        page = (await operator.get(f"{shop}/events", params={"after": after, "page_size": 7})).json()
        seen += page["events"]
        after = page["next_cursor"]
        if done and not page["events"]:
            break
    kinds = [event["type"] for event in seen]
    assert kinds.count("content:create:v1:success") == 30
    assert kinds.count("content:update:v1:success") == 30
    assert len({event["id"] for event in seen}) == len(seen)
    created: dict[int, int] = {}
    for event in seen:
        assert event["version"] == created.get(event["master_id"], 0) + 1
        created[event["master_id"]] = event["version"]


async def test_an_event_says_who_did_what_and_why(operator: httpx.AsyncClient, shop: str) -> None:
    cause = (await operator.post(f"{shop}/contents", json={"title": "cause"})).json()["id"]
    headers = {"x-correlation-id": "order-4711-x", "x-causation-id": str(cause)}
    made = (await operator.post(f"{shop}/contents", json={"title": "x"}, headers=headers)).json()
    (event,) = (await operator.get(f"{shop}/events", params={"entity_id": made["id"]})).json()["events"]
    assert event["actor"].startswith("key:")
    assert (event["correlation_id"], event["causation_id"]) == ("order-4711-x", cause)
    assert (event["campaign_id"], event["master_id"], event["version"]) == (made["campaign_id"], made["id"], 1)
    assert event["payload"]["title"] == "x"
    only = {"types": "content:publish:v1:success"}
    assert (await operator.get(f"{shop}/events", params=only)).json()["events"] == []
    await operator.post(f"{shop}/contents/{made['id']}:publish")
    assert len((await operator.get(f"{shop}/events", params=only)).json()["events"]) == 1


async def test_the_registry_knows_every_entity(operator: httpx.AsyncClient, shop: str) -> None:
    content = (await operator.post(f"{shop}/contents", json={"title": "Asynchronous generators"})).json()
    product = (await operator.post(f"{shop}/products", json={"name": "Asynchronous lamp"})).json()
    records = (await operator.get(f"{shop}/master")).json()["records"]
    assert {(r["type"], r["id"]) for r in records} >= {("content", content["id"]), ("product", product["id"])}
    one = (await operator.get(f"{shop}/master/{content['uuid']}")).json()
    assert (one["name"], one["status"], one["version"]) == ("Asynchronous generators", "active", 1)
    for mode, query in (("text", "asynchronous"), ("fuzzy", "asynchronuos"), ("pattern", "asynch*")):
        found = (await operator.get(f"{shop}/master:search", params={"q": query, "mode": mode})).json()["records"]
        assert {record["id"] for record in found} == {content["id"], product["id"]}, mode
    assert (await operator.get(f"{shop}/master", params={"type": "product"})).json()["records"] == [
        record for record in records if record["type"] == "product"
    ]


async def test_a_search_covers_all_types_with_facets(operator: httpx.AsyncClient, shop: str) -> None:
    await operator.post(f"{shop}/contents", json={"title": "Copper kettle", "body": "how to clean it"})
    await operator.post(f"{shop}/contents", json={"title": "Tea", "body": "boil water in a copper kettle"})
    await operator.post(f"{shop}/products", json={"name": "Copper kettle", "description": "two litres"})
    answer = (await operator.get(f"{shop}:search", params={"q": "copper kettle"})).json()
    assert answer["facets"] == {"content": 2, "product": 1}
    assert [hit["name"] for hit in answer["hits"]][-1] == "Tea"
    typed = (await operator.get(f"{shop}:search", params={"q": "coper ketle"})).json()
    assert (typed["corrected"], len(typed["hits"])) == (True, 3)
    phrase = (await operator.get(f"{shop}/contents:search", params={"q": '"copper kettle" -clean'})).json()
    assert [hit["entity"]["title"] for hit in phrase["hits"]] == ["Tea"]


@pytest.mark.inside
async def test_a_call_costs_one_statement(
    operator: httpx.AsyncClient, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    plain = Database._fetch

    async def counted(self: Database, connection: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return await plain(self, connection, sql, *rest)

    place = (await operator.post(f"{shop}/contents", json={"title": "warm"})).headers["location"]
    monkeypatch.setattr(Database, "_fetch", counted)
    for method, path, body in (
        ("POST", f"{shop}/contents", {"title": "x"}),
        ("GET", place, None),
        ("GET", f"{shop}/contents", None),
        ("GET", f"{shop}/events", None),
    ):
        sent.clear()
        answer = await operator.request(method, path, json=body)
        assert answer.status_code in (200, 201)
        assert len(sent) == 1, f"{method} {path}: {sent}"


async def test_the_openapi_document_describes_what_is_there(operator: httpx.AsyncClient) -> None:
    document = (await operator.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    text = (await operator.get("/openapi.json")).text
    components = document["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(components)
    assert "password" not in components["User"]["properties"]
    assert "password" in components["UserDraft"]["properties"]
    identifiers = [o["operationId"] for item in document["paths"].values() for o in item.values()]
    assert len(identifiers) == len(set(identifiers))
    assert all(o["summary"] for item in document["paths"].values() for o in item.values())
    assert "/v1/campaigns/{campaign}/contents/{id}:publish" in document["paths"]


async def test_the_documentation_needs_nothing_from_elsewhere(operator: httpx.AsyncClient) -> None:
    page = (await operator.get("/docs")).text
    assert "//" not in page.replace("<!doctype", "")
    assert (await operator.get("/docs/swagger-ui-bundle.js")).status_code == 200
    assert (await operator.get("/docs/secrets.txt")).status_code == 404
