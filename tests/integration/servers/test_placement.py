"""New campaigns come to a server that is up; a failed creation leaves no slug taken, or its repetition completes it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ovasabi.kernel.service.shards import HOME
from tests.integration.kernel.fixtures import admin, eventually, waiting
from tests.integration.servers.conftest import OTHER, Place, new_campaign

LOADS = "SELECT count(*) FROM campaign_directory WHERE shard = $1 AND state <> 'deleted'"
SHARD = "SELECT shard FROM campaign_directory WHERE slug = $1 AND state <> 'deleted'"

ENDED_WAITING = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()"""


async def next_is(place: Place, shard: int) -> str:
    """A slug whose campaign will be placed on a server, which has fewer than the other one."""
    while await place.value(HOME, LOADS, shard) >= await place.value(HOME, LOADS, 1 - shard):
        number = await place.value(HOME, "SELECT nextval('campaign_number')::int")
        entered = "INSERT INTO campaign_directory (number, slug, shard, state) VALUES ($1, $2, $3, 'lost')"
        await place.value(HOME, entered, number, f"x{number}", 1 - shard)
    return f"p{uuid.uuid4().hex[:10]}"


async def create(place: Place, slug: str, **headers: str) -> httpx.Response:
    """The answer to a creation."""
    draft = {"slug": slug, "title": slug}
    return await place.client.post("/v1/campaigns", json=draft, headers=headers)


@asynccontextmanager
async def locked(place: Place) -> AsyncIterator[Any]:
    """Keeps campaigns from being written on the other server, which is up otherwise."""
    async with admin(place.other.url()) as connection:
        await connection.execute("BEGIN; LOCK TABLE service_campaign_main")  # which also ends with the server
        yield connection


async def ready(place: Place) -> None:
    """Waits until the process finds both servers ready."""

    async def told() -> bool:
        return bool((await place.client.get("/readyz")).json()["servers"] == {str(HOME): "ready", str(OTHER): "ready"})

    await eventually(told)


async def test_new_campaigns_come_to_the_server_that_is_up(place: Place) -> None:
    await next_is(place, OTHER)
    await place.other.stop()
    try:
        for _ in range(3):
            made = await new_campaign(place.client)
            assert await place.value(HOME, SHARD, made["slug"]) == HOME
    finally:
        await place.other.start()

    await ready(place)
    slug = await next_is(place, OTHER)
    assert (await create(place, slug)).status_code == 201
    assert await place.value(HOME, SHARD, slug) == OTHER


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("ALTER DATABASE {} SET default_transaction_read_only = on", "ALTER DATABASE {} RESET ALL"),
        ("SELECT setval('id_clock', last_value + (8640000000::bigint * 12 << 12)) FROM id_clock", None),
    ],
    ids=["read-only", "without the month"],
)
async def test_new_campaigns_come_to_a_server_that_can_write_them(
    place: Place, broken: str, mended: str | None
) -> None:
    if mended is None:
        number = await place.value(OTHER, "SELECT last_value FROM id_clock")
        mended = f"SELECT setval('id_clock', {number} + 3200)"
    name = await place.value(OTHER, "SELECT current_database()")
    await place.value(OTHER, broken.format(name))
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ovasabi'"
    await place.value(OTHER, ended)
    try:
        slug = await next_is(place, OTHER)
        assert (await create(place, slug)).status_code == 201
        assert await place.value(HOME, SHARD, slug) == HOME
    finally:
        async with admin(place.other.url()) as connection:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute(mended.format(name))
        await place.value(OTHER, ended)
    await ready(place)


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "the-same"}], ids=["without a key", "with a key"])
async def test_a_creation_whose_server_fails_is_completed_by_its_repetition(place: Place, key: dict[str, str]) -> None:
    slug = await next_is(place, OTHER)
    async with locked(place):
        creating = asyncio.create_task(create(place, slug, **key))
        await eventually(waiting(place.other.url()))
        # Before the session that holds the lock: the creation is not to go on.
        await place.value(OTHER, ENDED_WAITING)
        await place.other.stop()
        try:
            failed = await creating
            assert failed.status_code == 503, failed.text
        finally:
            await place.other.start()

    async def completed() -> bool:
        answer = await create(place, slug, **key)
        assert answer.status_code in (201, 503), answer.text
        return answer.status_code == 201

    await eventually(completed)
    assert (await place.client.get(f"/v1/campaigns/{slug}")).status_code == 200
    await ready(place)


async def test_a_creation_whose_deadline_passed_is_completed_by_its_repetition(place: Place) -> None:
    slug = await next_is(place, OTHER)
    async with locked(place):
        failed = await create(place, slug, **{"x-request-timeout": "1"})
        assert failed.status_code == 504, failed.text
    made = await create(place, slug)
    found = await place.client.get(f"/v1/campaigns/{slug}")
    assert (made.status_code, found.status_code) in ((201, 200), (409, 200)), made.text


async def test_a_dedicated_campaign_whose_partitions_cannot_be_made_leaves_its_slug_free(place: Place) -> None:
    slug = await next_is(place, OTHER)
    draft = {"slug": slug, "title": slug, "dedicated": True}
    async with admin(place.other.url()) as connection, connection.transaction():
        await connection.execute("LOCK TABLE service_content_main IN SHARE MODE")
        headers = {"x-request-timeout": "1"}
        failed = await place.client.post("/v1/campaigns", json=draft, headers=headers)
        assert failed.status_code in (503, 504), failed.text
    made = await place.client.post("/v1/campaigns", json=draft)
    assert made.status_code == 201, made.text
