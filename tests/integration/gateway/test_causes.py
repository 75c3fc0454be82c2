"""The cause of a call is an event of its own campaign: what others did cannot be found out, nor blamed."""

import uuid

import httpx
import pytest
import pytest_asyncio

from ovasabi.kernel.call.context import Role
from tests.integration.gateway.conftest import Clients

PROCESSES = ("one", "three")
CAUSE = "x-causation-id"


async def event_of(client: httpx.AsyncClient, path: str) -> str:
    """The id of the newest event in the feed of a path."""
    return str((await client.get(f"{path}/events", params={"page_size": 1000})).json()["events"][-1]["id"])


@pytest_asyncio.fixture
async def events(operator: httpx.AsyncClient, shop: str) -> dict[str, str]:
    """An event of the campaign, one of another campaign, one of the platform, and one that never happened."""
    name = f"o{uuid.uuid4().hex[:10]}"
    await operator.post("/v1/campaigns", json={"slug": name, "title": name})
    for path in (shop, f"/v1/campaigns/{name}"):
        made = await operator.post(f"{path}/contents", json={"title": "cause"})
        await operator.patch(f"{path}/contents/{made.json()['id']}", json={"title": "changed"})
    await operator.post("/v1/users", json={"username": name, "email": f"{name}@example.org"})
    own, other = [await event_of(operator, path) for path in (shop, f"/v1/campaigns/{name}")]
    return {"own": own, "other": other, "platform": await event_of(operator, "/v1"), "none": "4711"}


@pytest.mark.parametrize(("confined", "accepted"), [(True, {"own"}), (False, {"own", "platform"})])
async def test_only_an_event_of_the_campaign_or_of_the_platform_to_who_may_see_it_is_accepted(
    clients: Clients, operator: httpx.AsyncClient, shop: str, events: dict[str, str], confined: bool, accepted: set[str]
) -> None:
    number = (await operator.get(shop)).json()["campaign_id"]
    client = await clients.client(Role.WRITER, number if confined else 0)
    told = set()
    for which, id in events.items():
        answer = await client.post(f"{shop}/contents", json={"title": which}, headers={CAUSE: id})
        if answer.status_code == 201:
            seen = await client.get(f"{shop}/events", params={"entity_id": answer.json()["id"]})
            assert seen.json()["events"][0]["causation_id"] == int(id)
            told.add(which)
        else:
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (400, "causation_unknown")
            assert problem["field"] == "X-Causation-Id"
            assert problem["detail"] == f"The event log has no event {id} that could be the cause of this call."
    assert told == accepted


async def test_a_call_on_the_platform_has_a_cause_on_the_platform(
    operator: httpx.AsyncClient, events: dict[str, str]
) -> None:
    for which, id in events.items():
        name = f"p{uuid.uuid4().hex[:10]}"
        user = {"username": name, "email": f"{name}@example.org"}
        answer = await operator.post("/v1/users", json=user, headers={CAUSE: id})
        assert answer.status_code == (201 if which == "platform" else 400), answer.text


async def test_a_number_that_no_event_can_have_is_refused_alike(operator: httpx.AsyncClient, shop: str) -> None:
    answer = await operator.get(f"{shop}/contents", headers={CAUSE: str(10**16 - 1)})
    assert (answer.status_code, answer.json()["code"]) == (400, "causation_unknown")
