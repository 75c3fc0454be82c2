"""A cursor that one server has issued is refused by the other, whose events it would skip; by every reader."""

import json
from typing import Any

import pytest

from ovasabi.kernel.service.shards import HOME
from tests.integration.servers.conftest import OTHER, Place


async def cursors(place: Place, number: int) -> list[str]:
    """The cursors that a server issues: of an event, and of the end of its log."""
    path = place.path(number)
    for title in ("one", "two"):
        answer = await place.client.post(f"{path}/contents", json={"title": title})
        assert answer.status_code == 201, answer.text
    page = (await place.client.get(f"{path}/events", params={"page_size": 1})).json()
    async with place.client.stream("GET", f"{path}/events:watch", params={"after": "now"}) as watching:
        async for line in watching.aiter_lines():
            if line.startswith("id: "):
                return [page["next_cursor"], line.removeprefix("id: ")]
    raise AssertionError("the watch has no heartbeat")


async def watched(place: Place, number: int, after: str) -> dict[str, Any]:
    """The first message of a watch."""
    params = {"after": after, "heartbeat_seconds": 0.2}
    async with place.client.stream("GET", f"{place.path(number)}/events:watch", params=params) as watching:
        async for line in watching.aiter_lines():
            if line.startswith("data: "):
                return dict(json.loads(line.removeprefix("data: ")))
            if line.startswith("id: "):
                return {}
    raise AssertionError("the watch ended without a message")


@pytest.mark.parametrize("number", [HOME, OTHER])
async def test_a_cursor_of_another_server_is_refused(place: Place, number: int) -> None:
    own, strange = await cursors(place, number), await cursors(place, 1 - number)
    for cursor in own:
        answer = await place.client.get(f"{place.path(number)}/events", params={"after": cursor})
        assert answer.status_code == 200, answer.text
        assert "code" not in await watched(place, number, cursor)
    for cursor in strange:
        answer = await place.client.get(f"{place.path(number)}/events", params={"after": cursor})
        for told in (answer.json(), await watched(place, number, cursor)):
            assert told.get("code") == "cursor_unknown", told
            assert (
                f"its id is one of server {1 - number}, not of this one" in told["detail"]
                or "ahead of its end" in told["detail"]
            ), told


async def test_an_event_of_this_log_keeps_its_cursor_whatever_its_id(place: Place) -> None:
    await cursors(place, HOME)
    path = place.path(HOME)
    # As an earlier version, whose ids had no number, has written it.
    await place.value(HOME, "ALTER TABLE service_event DISABLE TRIGGER USER")
    oldest = (
        "SELECT min(id) FROM service_event WHERE campaign_id = (SELECT number FROM campaign_directory WHERE slug = $1)"
    )
    await place.value(HOME, f"UPDATE service_event SET id = id | 31 WHERE id = ({oldest})", place.slugs[HOME])
    await place.value(HOME, "ALTER TABLE service_event ENABLE TRIGGER USER")
    page = (await place.client.get(f"{path}/events", params={"page_size": 1})).json()
    assert page["events"][0]["id"] & 31 == 31
    answer = await place.client.get(f"{path}/events", params={"after": page["next_cursor"]})
    assert answer.status_code == 200, answer.text
    assert page["events"][0]["id"] not in [event["id"] for event in answer.json()["events"]]
    earlier = (
        f"{page['next_cursor'].split('-')[0]}-{page['events'][0]['id'] & ~0xFFF}"  # the end of an earlier version's log
    )
    assert (await place.client.get(f"{path}/events", params={"after": earlier})).status_code == 200
