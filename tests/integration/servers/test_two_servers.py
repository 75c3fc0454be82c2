"""Campaigns on two servers: each lives wholly on its own, and a caller cannot tell which."""

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from ovasabi import runtime
from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.service.shards import HOME
from ovasabi.kernel.store.repository import Repository
from ovasabi.lifecycle.serving_login import serving_url
from ovasabi.services.content.entity import Content
from ovasabi.system.campaign import directory
from tests.integration.gateway.conftest import serving
from tests.integration.kernel.fixtures import eventually, pools
from tests.integration.servers.conftest import OTHER, Place, new_campaign

EACH = [HOME, OTHER]


async def ok(answer: Any, status: int = 200) -> Any:
    """What a call answers, which must have succeeded."""
    response: httpx.Response = await answer
    assert response.status_code == status, response.text
    return response.json()


async def test_new_campaigns_are_spread_over_the_servers_and_each_is_on_one_of_them(place: Place) -> None:
    numbers = [(await new_campaign(place.client))["campaign_id"] for _ in range(4)]
    shards = [
        await place.value(HOME, "SELECT shard FROM campaign_directory WHERE number = $1", number) for number in numbers
    ]
    assert sorted(shards) == [HOME, HOME, OTHER, OTHER]
    for number, shard in zip(numbers, shards, strict=True):
        for server in EACH:
            for table in ("master", "service_campaign_main", "service_event"):
                rows = await place.value(server, f"SELECT count(*) FROM {table} WHERE campaign_id = $1", number)
                assert bool(rows) == (server == shard), (table, server)


@pytest.mark.parametrize("shard", EACH)
async def test_everything_works_on_each_server(place: Place, shard: int) -> None:
    client, path = place.client, place.path(shard)
    draft = {"title": "Coroutines await", "slug": "one", "body": "an event loop", "tags": ["x"]}
    made = await ok(client.post(f"{path}/contents", json=draft, headers={"idempotency-key": "k"}), 201)
    again = await ok(client.post(f"{path}/contents", json=draft, headers={"idempotency-key": "k"}), 201)
    assert again["id"] == made["id"]
    one = f"{path}/contents/{made['id']}"
    assert (await client.post(f"{path}/contents", json=draft)).status_code == 409
    await ok(client.post(f"{one}:comment", json={"body": "exactly"}))
    await ok(client.patch(one, json={"title": "Coroutines wait"}))
    found = await ok(client.get(f"{path}/contents:search", params={"q": "corutines"}))
    assert [hit["entity"]["id"] for hit in found["hits"]] == [made["id"]]
    assert (await ok(client.post(f"{one}:publish")))["state"] == "published"
    assert (await ok(client.delete(one)))["id"] == made["id"]
    assert (await client.get(one)).status_code == 404
    assert (await ok(client.post(f"{one}:restore")))["comment_count"] == 1
    listed = await ok(client.get(f"{path}/contents", params={"filter": 'slug = "one"', "include_total": "true"}))
    assert (listed["total_size"], listed["contents"][0]["id"]) == (1, made["id"])
    assert (await ok(client.get(one, params={"as_of": made["created_at"]})))["title"] == "Coroutines await"
    events = await ok(client.get(f"{path}/events", params={"page_size": 100, "entity_id": made["id"]}))
    assert len(events["events"]) >= 6
    campaign = await ok(client.patch(path, json={"description": "of one server"}))
    assert (await ok(client.get(path)))["description"] == campaign["description"] == "of one server"
    other = await client.get(f"{place.path(1 - shard)}/contents/{made['id']}")
    assert other.status_code == 404


@pytest.mark.parametrize("shard", EACH)
async def test_operations_are_carried_out_on_each_server(place: Place, shard: int) -> None:
    client, path = place.client, place.path(shard)
    await ok(client.post(f"{path}/contents", json={"title": "to be exported"}), 201)
    operation = await ok(client.post(f"{path}/contents:export", json={}), 202)

    async def finished() -> bool:
        state = (await ok(client.get(f"{path}/operations/{operation['id']}")))["state"]
        assert state != "failed"
        return bool(state == "succeeded")

    await eventually(finished)
    assert await place.value(shard, "SELECT count(*) FROM service_operation_main") > 0


async def test_users_are_at_home_and_can_be_referred_to_everywhere(place: Place) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    values = {"username": name, "email": f"{name}@example.org", "password": "Correct-Horse-7"}
    user = await ok(place.client.post("/v1/users", json=values), 201)

    async def arrived() -> bool:
        return bool(
            await place.value(OTHER, "SELECT count(*) FROM service_user_master WHERE master_id = $1", user["id"])
        )

    await eventually(arrived)
    for shard in EACH:
        draft = {"title": "by a user", "author_id": user["id"]}
        made = await ok(place.client.post(f"{place.path(shard)}/contents", json=draft), 201)
        assert made["author_id"] == user["id"]
        missing = await place.client.post(f"{place.path(shard)}/contents", json=draft | {"author_id": made["id"]})
        assert missing.json()["code"] == "reference_missing"
    await ok(place.client.post(f"/v1/users/{user['id']}:suspend", json={"reason": "because"}))
    state = "SELECT state FROM service_user_master WHERE master_id = $1"

    async def changed() -> bool:
        return bool(await place.value(OTHER, state, user["id"]) == "suspended")

    await eventually(changed)
    campaigns = "SELECT count(*) FROM master WHERE campaign_id > 0 AND campaign_id IN (SELECT number FROM"
    assert await place.value(OTHER, f"{campaigns} campaign_directory)") == 0, "the directory is at home only"


async def test_lists_of_campaigns_have_those_of_all_servers_in_one_order(place: Place) -> None:
    wanted = [(await new_campaign(place.client, kind="drip"))["slug"] for _ in range(5)]
    for order, expected in (("", wanted[::-1]), ("created_at asc", wanted)):
        found: list[str] = []
        token = ""
        while True:
            params = {"filter": 'kind = "drip"', "page_size": 2, "page_token": token, "include_total": "true"}
            page = await ok(place.client.get("/v1/campaigns", params=params | ({"order_by": order} if order else {})))
            assert page["total_size"] == 5
            found += [campaign["slug"] for campaign in page["campaigns"]]
            token = page.get("next_page_token", "")
            if not token:
                break
        assert found == expected
    refused = await place.client.get("/v1/campaigns", params={"order_by": "kind"})
    assert (refused.status_code, refused.json()["field"]) == (400, "order_by")
    assert "several servers" in refused.json()["detail"]
    hits = (await ok(place.client.get("/v1/campaigns:search", params={"q": "title", "page_size": 100})))["hits"]
    assert set(wanted) <= {hit["entity"]["slug"] for hit in hits}


async def test_concurrent_calls_share_statements_only_with_calls_of_their_server(place: Place) -> None:
    title = f"t{uuid.uuid4().hex}"
    await asyncio.gather(
        *(
            ok(place.client.post(f"{place.path(number % 2)}/contents", json={"title": title}), 201)
            for number in range(60)
        )
    )
    for shard in EACH:
        assert await place.value(shard, "SELECT count(*) FROM master WHERE name = $1", title) == 30


async def test_what_serves_logs_in_to_each_server_as_one_that_only_serves(place: Place) -> None:
    logins = "SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity WHERE application_name = 'ovasabi'"
    found = [await place.value(number, logins) for number in EACH]
    assert [each.rpartition("_")[0] for each in found] == ["ovasabi_serving"] * 2, found
    assert found[0] != found[1]


async def test_a_key_of_one_campaign_is_refused_on_the_other_server(place: Place) -> None:
    from ovasabi.kernel.call.context import Role
    from ovasabi.security.keys import create_key

    number = (await ok(place.client.get(place.path(OTHER))))["campaign_id"]
    async with pools(place.home.url(), readers=1, writers=1) as home:
        key = await create_key(home.url, "confined", Role.WRITER, campaign_id=number)
    headers = {"authorization": f"Bearer {key}"}
    await ok(place.client.get(f"{place.path(OTHER)}/contents", headers=headers))
    assert (await place.client.get(f"{place.path(HOME)}/contents", headers=headers)).status_code == 403


async def test_deleted_campaigns_are_gone_and_come_back_wherever_they_are(place: Place) -> None:
    for _ in range(2):
        campaign = await new_campaign(place.client)
        path = f"/v1/campaigns/{campaign['slug']}"
        await ok(place.client.delete(path))
        assert (await place.client.get(f"{path}/contents")).status_code == 404
        await ok(place.client.post(f"{path}:restore"))
        await ok(place.client.get(f"{path}/contents"))


async def test_a_campaign_that_its_server_has_lost_is_told_from_one_that_never_was(place: Place) -> None:
    slug = f"s{uuid.uuid4().hex[:10]}"
    entered = "INSERT INTO campaign_directory (number, slug, shard, state) VALUES ($1, $2, $3, 'active')"
    await place.value(HOME, entered, await place.value(HOME, "SELECT nextval('campaign_number')::int"), slug, OTHER)
    path = f"/v1/campaigns/{slug}"
    assert (await place.client.get(path)).status_code == 404, "the directory is not settled yet"
    # A process remembers entries by the address of its pools: these are as those of the process that serves.
    served = serving_url(place.home.url(), place.settings, HOME)
    async with pools(served) as home, pools(place.other.url()) as other:
        await directory.reconcile(home, other, OTHER)
        for call in (place.client.get(path), place.client.post(f"{path}/contents", json={"title": "into the void"})):
            refused = await call
            assert (refused.status_code, refused.json()["code"]) == (503, "campaign_lost")
        taken = await place.client.post("/v1/campaigns", json={"slug": slug, "title": "its slug is kept"})
        assert taken.status_code == 409
        assert await directory.give_up(home, other, OTHER) == [slug]
    assert (await place.client.get(path)).status_code == 404
    await ok(place.client.post("/v1/campaigns", json={"slug": slug, "title": "its slug is free"}), 201)


async def test_a_transaction_does_not_write_to_two_servers(place: Place) -> None:
    async with (
        pools(place.home.url(), readers=1, writers=1) as home,
        pools(place.other.url(), readers=1, writers=1) as other,
    ):
        with acting(system_context("test", 1)):

            async def both() -> None:
                await Repository(other, Content).create({"title": "elsewhere"})

            with pytest.raises(TypeError, match="writes to one server only"):
                await atomically(home, both)


async def test_status_tells_whether_the_rows_of_the_platform_arrive(place: Place) -> None:
    report = await runtime.status(place.home.url(), place.settings)
    assert report["servers"] == {OTHER: "replication running"}


async def test_a_campaign_on_a_server_that_is_not_configured_is_unavailable(place: Place) -> None:
    async with (
        serving(place.home.url(), place.folder) as (address, _),
        httpx.AsyncClient(base_url=address, headers=place.client.headers) as client,
    ):
        refused = await client.get(f"{place.path(OTHER)}/contents")
        assert (refused.status_code, refused.json()["code"]) == (503, "shard_unknown")
        await ok(client.get(f"{place.path(HOME)}/contents"))


async def test_only_the_campaigns_of_a_server_that_is_down_are_unavailable(place: Place) -> None:
    await place.other.stop()
    try:
        refused = await place.client.get(f"{place.path(OTHER)}/contents", headers={"request-timeout": "3"})
        assert refused.status_code in (503, 504), refused.text

        async def named() -> bool:
            refused = await place.client.get("/v1/campaigns")
            assert refused.status_code == 503, refused.text
            # A session that was open may first tell that it was ended.
            return f"(server {OTHER})." in refused.json()["detail"]

        await eventually(named)
        await ok(place.client.get(f"{place.path(HOME)}/contents"))
        await ok(place.client.post(f"{place.path(HOME)}/contents", json={"title": "meanwhile"}), 201)
        await ok(place.client.get("/v1/users"))
        assert (await runtime.status(place.home.url(), place.settings))["servers"] == {OTHER: "unavailable"}
        await runtime.check(place.home.url(), place.settings)
    finally:
        await place.other.start()

    async def back() -> bool:
        return (await place.client.get(f"{place.path(OTHER)}/contents")).status_code == 200

    await eventually(back)


def test_the_services_of_a_server_are_its_own_but_those_of_the_platform() -> None:
    from ovasabi.database.connection import Database

    home = ServiceRegistry(Database("postgresql://home"))
    other = ServiceRegistry(Database("postgresql://other"), home=home)
    assert other.named("user") is home.named("user")
    assert other.named("content") is not home.named("content")
    with acting(system_context("test", PLATFORM)):
        assert other.here(type(home.named("campaign"))) is other.named("campaign")  # type: ignore[arg-type]
