"""Events over HTTP as they happen: told once each, resumed where a client left, kept apart, and ended with a reason."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ovasabi.kernel.call.context import Role
from tests.integration.gateway.conftest import Clients

PROCESSES = ("one", "three")


CREATED = "content:create:v1:success"


async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The blocks of a stream of server-sent events, as their fields; a comment's name is empty."""
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        elif block:
            yield block
            block = {}


async def events(client: httpx.AsyncClient, path: str, count: int, **options: Any) -> list[dict[str, Any]]:
    """As many creates of a watch, each with the id of its block."""
    found: list[dict[str, Any]] = []
    query = {"types": CREATED, **options.pop("params", {})}
    async with client.stream("GET", f"{path}/events:watch", params=query, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream"
        async for block in blocks(answer):
            if "data" in block:
                found.append({**json.loads(block["data"]), "id": block["id"]})
            if len(found) == count:
                return found
    raise AssertionError(f"the watch ended after {found}")


async def test_a_watch_tells_what_was_and_what_comes_once_each_and_in_order(
    operator: httpx.AsyncClient, shop: str
) -> None:
    for title in ("a", "b"):
        await operator.post(f"{shop}/contents", json={"title": title})
    subscriptions = asyncio.create_task(events(operator, shop, 12))
    await asyncio.gather(*(operator.post(f"{shop}/contents", json={"title": f"c{n}"}) for n in range(10)))
    told = await asyncio.wait_for(subscriptions, 20)
    page = (await operator.get(f"{shop}/events", params={"types": CREATED})).json()
    assert [one["event"] for one in told] == page["events"]
    assert all(one["id"] == one["cursor"] == one["event"]["cursor"] for one in told)


async def test_a_watch_resumes_after_the_last_event_that_the_client_saw(operator: httpx.AsyncClient, shop: str) -> None:
    for title in ("a", "b", "c"):
        await operator.post(f"{shop}/contents", json={"title": title})
    first = await events(operator, shop, 1)
    rest = await events(operator, shop, 2, headers={"last-event-id": first[0]["id"]}, params={"after": "now"})
    again = await events(operator, shop, 2, params={"after": first[0]["cursor"]})
    assert [one["event"]["payload"]["title"] for one in rest] == ["b", "c"]
    assert again == rest


async def test_silence_is_told_by_heartbeats_that_say_where_to_resume(operator: httpx.AsyncClient, shop: str) -> None:
    await operator.post(f"{shop}/contents", json={"title": "before"})
    query = {"after": "now", "heartbeat_seconds": "0.1"}
    async with operator.stream("GET", f"{shop}/events:watch", params=query) as answer:
        beats = [block async for block in _first(blocks(answer), 3)]
    assert beats[0] == {"": "watching"}
    assert all(set(beat) == {"", "id"} for beat in beats[1:])
    assert all(re.fullmatch(r"heartbeat, \d+\.\d s behind", beat[""]) for beat in beats[1:]), beats
    await operator.post(f"{shop}/contents", json={"title": "after"})
    (told,) = await events(operator, shop, 1, params={"after": beats[-1]["id"]})
    assert told["event"]["payload"]["title"] == "after"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "bogus"}, "after"),
        ({"heartbeat_seconds": "0"}, "heartbeat_seconds"),
        ({"types": "nonsense"}, "type"),
        ({"since": "1"}, "since"),
    ],
)
async def test_a_bad_watch_is_refused_before_it_begins(
    operator: httpx.AsyncClient, shop: str, query: dict[str, str], field: str
) -> None:
    answer = await operator.get(f"{shop}/events:watch", params=query)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_nobody_watches_another_campaign(clients: Clients, operator: httpx.AsyncClient, shop: str) -> None:
    campaign = (await operator.get(shop)).json()["campaign_id"]
    await operator.post(f"{shop}/contents", json={"title": "ours"})
    stranger = await clients.client(Role.READER, campaign + 1_000_000)
    assert (await stranger.get(f"{shop}/events:watch")).status_code == 403
    assert (await clients.with_header(None).get(f"{shop}/events:watch")).status_code == 401
    own = await clients.client(Role.READER, campaign)
    (told,) = await events(own, shop, 1)
    assert told["event"]["campaign_id"] == campaign


async def _first(items: AsyncIterator[dict[str, str]], count: int) -> AsyncIterator[dict[str, str]]:
    async for item in items:
        yield item
        count -= 1
        if not count:
            return


REFUSED = {
    "of a later transaction": ("140737488355327-1", 409, "cursor_unknown"),
    "of an epoch that never was": ("9223372036854775807-1", 409, "cursor_unknown"),
    "of a later time": ("1-9007199254740991", 409, "cursor_unknown"),
    "in another spelling": ("01-1", 400, "invalid_value"),
}


@pytest.mark.parametrize(("cursor", "status", "code"), REFUSED.values(), ids=list(REFUSED))
async def test_a_cursor_that_the_log_did_not_issue_is_refused_alike_by_pages_and_watches(
    operator: httpx.AsyncClient, shop: str, cursor: str, status: int, code: str
) -> None:
    for path, options in (
        ("events", {"params": {"after": cursor}}),
        ("events:watch", {"params": {"after": cursor}}),
        ("events:watch", {"headers": {"last-event-id": cursor}}),
    ):
        async with operator.stream("GET", f"{shop}/{path}", **options) as answer:
            if answer.headers["content-type"] == "text/event-stream":  # a watch that had begun ends with the error
                told = next(
                    json.loads(b["data"]) for b in [b async for b in blocks(answer)] if b.get("event") == "error"
                )
            else:
                told = json.loads(await answer.aread())
                assert answer.status_code == status
        assert (told["status"], told["code"], told.get("field")) == (status, code, "after"), path
