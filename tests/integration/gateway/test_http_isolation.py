"""No call for one campaign ever returns or changes a row of another, whatever it asks for and by whichever route."""

import asyncio
import random
import uuid
from contextlib import suppress
from typing import Any

import httpx
import pytest

from ovasabi.kernel.call.context import Role
from tests.integration.gateway.conftest import Clients

PROCESSES = ("one", "three")


class Tenant:
    """A campaign with a key of its own; everything that is written in it bears its mark."""

    def __init__(self, client: httpx.AsyncClient, path: str, mark: str) -> None:
        self.client, self.path, self.mark = client, path, mark
        self.references: list[str] = []
        self.cursor = ""

    async def create(self) -> None:
        """A new content with the campaign's mark in every text."""
        draft = {"title": f"{self.mark} shared words", "body": self.mark, "tags": [self.mark], "slug": None}
        made = await self.client.post(f"{self.path}/contents", json=draft)
        assert made.status_code == 201, made.text
        self.references += [str(made.json()["id"]), made.json()["uuid"]]

    async def snapshot(self) -> list[dict[str, Any]]:
        """All its contents, in order."""
        params = {"page_size": 1000, "order_by": "created_at"}
        return list((await self.client.get(f"{self.path}/contents", params=params)).json()["contents"])


async def tenant(clients: Clients, operator: httpx.AsyncClient) -> Tenant:
    mark = f"m{uuid.uuid4().hex[:12]}"
    made = await operator.post("/v1/campaigns", json={"slug": mark, "title": "tenant"})
    client = await clients.client(Role.ADMIN, made.json()["campaign_id"])
    return Tenant(client, f"/v1/campaigns/{mark}", mark)


def foreign_calls(own: Tenant, reference: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Calls on the tenant's own path for an entity that is not its own: each must be refused."""
    place = f"{own.path}/contents/{reference}"
    draft = {"title": "reference", "parent_id": int(reference) if reference.isdigit() else 1}
    return [
        ("GET", place, {}),
        ("GET", place, {"params": {"as_of": "2100-01-01T00:00:00Z"}}),
        ("PATCH", place, {"json": {"title": "stolen"}}),
        ("DELETE", place, {}),
        ("POST", f"{place}:publish", {}),
        ("POST", f"{place}:restore", {}),
        ("POST", f"{place}:comment", {"json": {"body": "stolen"}}),
        ("GET", f"{own.path}/master/{reference}", {}),
        ("POST", f"{own.path}/contents", {"json": draft}),
        ("POST", f"{own.path}/comments", {"json": {"content_id": draft["parent_id"], "body": "stolen"}}),
    ]


def searching_calls(own: Tenant, other: Tenant, reference: str) -> list[tuple[str, dict[str, Any]]]:
    """Calls that list or search: none may show anything of the other campaign."""
    return [
        ("/contents", {"page_size": 1000}),
        ("/contents", {"filter": f"tags:{other.mark}"}),
        ("/contents", {"filter": f"id = {reference}" if reference.isdigit() else "id > 0"}),
        ("/contents:search", {"q": "shared"}),
        ("/contents:search", {"q": other.mark}),
        ("/contents:search", {"q": f"{other.mark[:5]}{other.mark[6:]}"}),
        (":search", {"q": "shared words"}),
        (":search", {"q": f'"{other.mark}" OR shared'}),
        ("/master", {"page_size": 1000, "deleted": "true"}),
        ("/master:search", {"q": "*shared*", "mode": "pattern"}),
        ("/master:search", {"q": other.mark, "mode": "fuzzy"}),
        ("/events", {"page_size": 1000}),
        ("/events", {"entity_id": reference} if reference.isdigit() else {}),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_campaigns_never_meet(clients: Clients, operator: httpx.AsyncClient, seed: int) -> None:
    rng = random.Random(seed)
    first, second = await tenant(clients, operator), await tenant(clients, operator)
    for one in (first, second):
        await asyncio.gather(*(one.create() for _ in range(3)))
    for _ in range(60):
        own, other = rng.sample([first, second], 2)
        before = await other.snapshot()
        reference = rng.choice(other.references)
        method, path, options = rng.choice(foreign_calls(own, reference))
        refused = await own.client.request(method, path, **options)
        assert refused.status_code in (400, 404), f"{method} {path}: {refused.text}"
        assert other.mark not in refused.text
        suffix, params = rng.choice(searching_calls(own, other, reference))
        found = await own.client.get(own.path + suffix, params=params)
        assert found.status_code == 200, found.text
        assert other.mark not in found.text, f"{suffix} {params}"
        assert (await own.client.get(other.path + suffix, params=params)).status_code == 403
        assert await other.snapshot() == before
        if rng.random() < 0.3:
            await own.create()


async def test_many_at_once_in_two_campaigns_see_only_their_own(clients: Clients, operator: httpx.AsyncClient) -> None:
    pair = [await tenant(clients, operator), await tenant(clients, operator)]

    async def work(own: Tenant, other: Tenant) -> None:
        for _ in range(15):
            await own.create()
            seen = await own.client.get(f"{own.path}/contents", params={"page_size": 1000})
            assert own.mark in seen.text
            assert other.mark not in seen.text
            with suppress(httpx.ReadTimeout):
                # Left at once: whatever the connection was doing, it must not carry anything over.
                await own.client.get(f"{own.path}:search", params={"q": "shared"}, timeout=httpx.Timeout(5, read=1e-4))

    await asyncio.gather(*(work(*two) for two in (pair, pair[::-1]) for _ in range(3)))
