"""Entities over HTTP: created, read, changed, listed, deleted, restored, and as they were."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

PROCESSES = ("one", "three")
pytestmark = pytest.mark.versions("18", "15")


async def test_a_create_answers_with_its_place_and_its_version(operator: httpx.AsyncClient, shop: str) -> None:
    made = await operator.post(f"{shop}/contents", json={"title": "First light"})
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == f"{shop}/contents/{made.json()['id']}"
    found = await operator.get(made.headers["location"])
    assert found.json() == made.json()
    assert (await operator.get(f"{shop}/contents/{made.json()['uuid']}")).json() == made.json()


async def test_a_change_needs_the_version_that_if_match_names(operator: httpx.AsyncClient, shop: str) -> None:
    place = (await operator.post(f"{shop}/contents", json={"title": "one"})).headers["location"]
    changed = await operator.patch(place, json={"title": "two"}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = await operator.patch(place, json={"title": "three"}, headers={"if-match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["code"] == "version_conflict"
    assert (await operator.delete(place, headers={"if-match": '"1"'})).status_code == 412
    assert (await operator.post(f"{place}:publish", headers={"if-match": '"1"'})).status_code == 412
    assert (await operator.get(place)).json()["title"] == "two"


async def test_what_a_patch_leaves_out_stays(operator: httpx.AsyncClient, shop: str) -> None:
    draft = {"title": "one", "body": "text", "metadata": {"service_specific": {"blog": {"a": 1, "b": 2}}}}
    place = (await operator.post(f"{shop}/contents", json=draft)).headers["location"]
    patch = {"slug": "a-slug", "metadata": {"service_specific": {"blog": {"a": None}}}}
    changed = (await operator.patch(place, json=patch)).json()
    assert (changed["title"], changed["body"], changed["slug"]) == ("one", "text", "a-slug")
    assert changed["metadata"] == {"service_specific": {"blog": {"b": 2}}}
    assert (await operator.patch(place, json={"slug": None})).json()["slug"] is None


async def test_a_deleted_entity_is_gone_until_it_is_restored(operator: httpx.AsyncClient, shop: str) -> None:
    place = (await operator.post(f"{shop}/contents", json={"title": "x", "slug": "x"})).headers["location"]
    assert (await operator.delete(place)).status_code == 200
    assert (await operator.get(place)).status_code == 404
    assert (await operator.delete(place)).status_code == 404
    other = await operator.post(f"{shop}/contents", json={"title": "y", "slug": "x"})
    assert other.status_code == 201
    assert (await operator.post(f"{place}:restore")).json()["code"] == "already_exists"
    assert (await operator.delete(other.headers["location"])).status_code == 200
    assert (await operator.post(f"{place}:restore")).status_code == 200
    assert (await operator.get(place)).json()["slug"] == "x"


async def test_as_of_shows_an_entity_as_it_was(operator: httpx.AsyncClient, shop: str) -> None:
    made = await operator.post(f"{shop}/contents", json={"title": "one"})
    place, first = made.headers["location"], made.json()
    await asyncio.sleep(0.01)
    second = (await operator.patch(place, json={"title": "two"})).json()
    await operator.delete(place)

    async def at(moment: str) -> httpx.Response:
        return await operator.get(place, params={"as_of": moment})

    assert (await at(first["created_at"])).json() == first
    assert (await at(second["updated_at"])).json() == second
    assert (await at("2100-01-01T00:00:00Z")).status_code == 404
    assert (await at("2020-01-01T00:00:00Z")).status_code == 404
    assert (await at("yesterday")).json()["field"] == "as_of"


async def test_pages_neither_repeat_nor_miss_while_others_write(operator: httpx.AsyncClient, shop: str) -> None:
    made = [(await operator.post(f"{shop}/contents", json={"title": f"t{i}"})).json()["id"] for i in range(25)]
    seen: list[int] = []
    token = ""
    while True:
        page = (await operator.get(f"{shop}/contents", params={"page_size": 7, "page_token": token})).json()
        seen += [item["id"] for item in page["contents"]]
        await operator.post(f"{shop}/contents", json={"title": "newcomer"})
        token = page["next_page_token"]
        if not token:
            break
    assert seen == sorted(made, reverse=True)


async def test_lists_filter_order_and_count(operator: httpx.AsyncClient, shop: str) -> None:
    for title, kind, tags in (("a", "micro", ["x"]), ("b", "article", ["x", "y"]), ("c", "video", [])):
        await operator.post(f"{shop}/contents", json={"title": title, "kind": kind, "tags": tags})

    async def titles(**params: Any) -> list[str]:
        answer = await operator.get(f"{shop}/contents", params=params)
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["contents"]]

    assert await titles(order_by="kind desc") == ["c", "a", "b"]
    assert await titles(filter="tags:x", order_by="created_at") == ["a", "b"]
    assert await titles(filter='kind = "video" OR (tags:y AND NOT kind = "micro")') == ["c", "b"]
    counted = await operator.get(f"{shop}/contents", params={"page_size": 1, "include_total": "true"})
    assert counted.json()["total_size"] == 3


async def test_the_same_request_under_one_key_is_done_once(operator: httpx.AsyncClient, shop: str) -> None:
    headers = {"idempotency-key": "order-1"}
    answers = await asyncio.gather(
        *(operator.post(f"{shop}/contents", json={"title": "once"}, headers=headers) for _ in range(40))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    await operator.patch(answers[0].headers["location"], json={"title": "changed since"})
    again = await operator.post(f"{shop}/contents", json={"title": "once"}, headers=headers)
    assert again.text == answers[0].text
    other = await operator.post(f"{shop}/contents", json={"title": "another"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert len((await operator.get(f"{shop}/contents")).json()["contents"]) == 1


async def test_a_campaign_is_found_by_slug_and_number_and_comes_back_after_a_delete(
    operator: httpx.AsyncClient, shop: str
) -> None:
    campaign = (await operator.get(shop)).json()
    number = f"/v1/campaigns/{campaign['campaign_id']}"
    assert (await operator.get(number)).json() == campaign
    changed = await operator.patch(shop, json={"title": "Another name"}, headers={"if-match": '"1"'})
    assert changed.json()["title"] == "Another name"
    listed = (await operator.get("/v1/campaigns", params={"page_size": 1000})).json()["campaigns"]
    assert campaign["id"] in [item["id"] for item in listed]
    assert (await operator.delete(shop)).status_code == 200
    assert (await operator.get(f"{shop}/contents")).status_code == 404
    assert (await operator.post(f"{number}:restore")).status_code == 200
    assert (await operator.get(shop)).json()["title"] == "Another name"


async def test_a_password_is_never_shown(operator: httpx.AsyncClient) -> None:
    secret = "Correct-Horse-1"
    name = f"u{uuid.uuid4().hex[:12]}"
    draft = {"username": name, "email": f"{name}@example.org", "password": secret}
    made = await operator.post("/v1/users", json=draft)
    assert made.status_code == 201, made.text
    assert "password" not in made.text
    shown = [
        await operator.get(made.headers["location"]),
        await operator.get("/v1/users", params={"page_size": 1000}),
        await operator.get("/v1/events", params={"entity_id": made.json()["id"]}),
        await operator.post("/v1/users", json=draft),
        await operator.post("/v1/users", json={**draft, "password": "short"}),
    ]
    assert all(secret not in answer.text and "argon2" not in answer.text for answer in shown)
    assert shown[3].json()["code"] == "already_exists"
