"""Who carries operations out: taken over, put back, cancelled, a few at a time, each once."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import Service, ServiceRegistry
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.security.keys import create_key, revoke_key
from ovasabi.system.operation.running import Runner, carrying_out
from ovasabi.system.operation.service import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, Operations
from tests.conftest import new_campaign
from tests.integration.services.operation_fixtures import (
    Crash,
    as_somebody,
    count,
    downloaded,
    events_of,
    finished,
    lines,
    reached,
    start_export,
    start_import,
    until,
    within,
)


async def test_work_of_a_process_that_is_gone_goes_on_where_it_was(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lines(1_500) + lines(1_500) + '{"titel": "wrong"}\n'  # each is there twice, and wanted twice
    with within(campaign):
        accepted = await start_import(registry, data)
        crash = Crash(registry, 0.5)
        before = await reached(registry, accepted.id, lambda operation: operation.done >= 400)
        await crash.vanish(monkeypatch)
        there = await count(registry)
        assert before.done <= there < 3_000
        asked = await registry.service(Operations).get(accepted.id)
        assert asked.state is RUNNING
        async with carrying_out(other):
            done = await finished(other, accepted.id)
        assert (done.state, done.version) == (SUCCEEDED, 3), "it was started once, and finished once"
        assert done.result is not None
        assert (done.result["created"], done.result["present"], done.result["rejected"]) == (3_000, 0, 1)
        assert await count(registry) == 3_000


async def test_an_export_that_goes_on_puts_out_nothing_twice(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with within(campaign):
        contents = registry.named("content")
        for part in range(4):
            await contents.create_many([NewEntity({"title": f"{part}-{n}"}) for n in range(500)])
        accepted = await start_export(registry)
        crash = Crash(registry, 0.3)
        await reached(registry, accepted.id, lambda operation: 0 < operation.done < 2_000)
        await crash.vanish(monkeypatch)
        await contents.create({"title": "later"})
        async with carrying_out(other):
            done = await finished(other, accepted.id)
        text = "".join(await downloaded(other, done))
    titles = [json.loads(line)["title"] for line in text.splitlines()]
    assert sorted(titles) == sorted(f"{part}-{n}" for part in range(4) for n in range(500))
    assert done.result == {"entities": 2_000, "bytes": len(text)}


async def test_who_lost_its_lease_writes_no_more(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused, go_on, outcome = asyncio.Event(), asyncio.Event(), []

    async def stalled(request: Any, progress: Any) -> None:
        paused.set()
        await go_on.wait()
        try:
            await progress.step(1, marker=1, output=["from the one that lost it\n"])
        except Exception as error:
            outcome.append(type(error).__name__)
            raise

    async def late(*_: Any) -> None:
        await asyncio.sleep(3600)

    registry.named("content").export = stalled  # type: ignore[method-assign]
    with within(campaign):
        await registry.named("content").create({"title": "one"})
        accepted = await start_export(registry)
        first = Runner(registry, lease_seconds=0.3)
        monkeypatch.setattr(first, "_renew", late)  # it does not renew its lease, and does not notice
        looking = asyncio.create_task(first.run())
        await paused.wait()
        async with carrying_out(other):
            done = await finished(other, accepted.id)
        go_on.set()
        await until(lambda: outcome)
        looking.cancel()
        await first.stop()
        assert outcome == ["LeaseLost"]
        assert await registry.service(Operations).get(accepted.id) == done
        assert len(await downloaded(other, done)) == 1
        assert "lost" not in "".join(await downloaded(other, done))


async def test_a_process_that_stops_puts_its_work_back_and_the_next_goes_on_at_once(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int
) -> None:
    with within(campaign):
        accepted = await start_import(registry, lines(3_000))
        async with carrying_out(registry):
            await reached(registry, accepted.id, lambda operation: operation.done >= 200)
        assert (await registry.service(Operations).get(accepted.id)).state is RUNNING
        async with carrying_out(other):
            # Less than a lease: it is not waited for.
            done = await finished(other, accepted.id, seconds=8)
        assert done.result is not None
        assert (done.result["created"], done.result["present"]) == (3_000, 0)
        assert await count(registry) == 3_000


async def test_a_queued_operation_is_cancelled_at_once(registry: ServiceRegistry, campaign: int) -> None:
    with within(campaign):
        accepted = await start_import(registry, lines(3))
    with as_somebody(campaign, "eve"):
        operations = registry.service(Operations)
        cancelled = await operations.cancel(accepted)
        assert cancelled.state is CANCELLED
        assert cancelled.finished_at is not None
        async with carrying_out(registry):
            await asyncio.sleep(0.3)
        assert await count(registry) == 0
        assert (await events_of(registry, accepted.id))[-1].actor == "eve"
        with pytest.raises(MoveRefused):
            await operations.cancel(await operations.get(accepted.id))


async def test_a_running_one_is_cancelled_through_any_process_and_says_how_many_lines_are_in(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int
) -> None:
    with within(campaign):
        accepted = await start_import(registry, lines(20_000))
        async with carrying_out(registry):
            running = await reached(registry, accepted.id, lambda operation: operation.done >= 400)
            with as_somebody(campaign, "finn"):
                await other.service(Operations).cancel(running)
            done = await finished(registry, accepted.id, seconds=8)
        assert done.state is CANCELLED
        assert done.result is not None
        assert 400 <= done.result["created"] < 20_000
        assert await count(registry) == done.result["created"] == done.done
        last = (await events_of(registry, accepted.id))[-1]
    assert (last.type, last.actor) == ("operation:cancel:v1:success", "finn")


async def test_a_cancel_that_its_process_did_not_live_to_see_is_carried_out_by_the_next(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with within(campaign):
        accepted = await start_import(registry, lines(4_000))
        crash = Crash(registry, 1.0)
        running = await reached(registry, accepted.id, lambda operation: operation.done >= 200)
        await crash.vanish(monkeypatch)
        assert (await other.service(Operations).cancel(running)).state is RUNNING, "the lease has not run out yet"
        there = await count(registry)
        async with carrying_out(other):
            done = await finished(other, accepted.id)
        assert done.state is CANCELLED
        assert await count(registry) == there


async def test_work_ends_when_the_key_that_asked_for_it_is_revoked(registry: ServiceRegistry, campaign: int) -> None:
    key = await create_key(registry.database.url, "leaked", Role.WRITER, campaign_id=campaign)
    prefix = key.split("_")[1]
    with as_somebody(campaign, f"key:{prefix}"):
        waiting, running = await start_import(registry, lines(1)), await start_import(registry, lines(20_000))
        async with carrying_out(registry):
            await reached(registry, running.id, lambda operation: operation.done >= 200)
            third = await start_import(registry, lines(20_001))
            await revoke_key(registry.database.url, prefix)
            for operation in (running, third):
                done = await finished(registry, operation.id)
                assert done.error is not None
                assert (done.state, done.error.code) == (FAILED, "operation_key_revoked")
        assert (await finished(registry, waiting.id)).state is SUCCEEDED


async def test_work_ends_when_the_key_that_asked_for_it_expires(registry: ServiceRegistry, campaign: int) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=2)
    key = await create_key(registry.database.url, "short", Role.WRITER, campaign_id=campaign, expires_at=expires)
    with as_somebody(campaign, f"key:{key.split('_')[1]}"):
        running = await start_import(registry, lines(60_000))
        async with carrying_out(registry):
            done = await finished(registry, running.id)
            late = await finished(registry, (await start_import(registry, lines(1))).id)
    for operation in (done, late):
        assert operation.error is not None
        assert (operation.state, operation.error.code) == (FAILED, "operation_key_revoked")
    assert done.done == done.result["created"]


async def test_a_process_carries_a_few_out_at_a_time_and_leaves_room_for_others(registry: ServiceRegistry) -> None:
    running: list[int] = []
    most: dict[int | str, int] = {}
    go_on = asyncio.Event()

    async def export(request: Any, progress: Any) -> None:
        campaign = (await registry.service(Operations).get(progress.operation_id)).campaign_id
        running.append(campaign)
        most["all"] = max(most.get("all", 0), len(running))
        most[campaign] = max(most.get(campaign, 0), running.count(campaign))
        await go_on.wait()
        running.remove(campaign)

    registry.named("content").export = export  # type: ignore[method-assign]
    greedy, modest = await new_campaign(registry), await new_campaign(registry)
    started: list[tuple[int, int]] = []
    for campaign, number in ((greedy, 9), (modest, 1)):
        with within(campaign):
            started += [(campaign, (await start_export(registry)).id) for _ in range(number)]
    async with carrying_out(registry, 4):
        await until(lambda: modest in running and running.count(greedy) == 2)
        await asyncio.sleep(0.2)
        assert sorted(running) == sorted([greedy, greedy, modest])
        go_on.set()
        for campaign, id in started:
            with within(campaign):
                assert (await finished(registry, id)).state is SUCCEEDED
    assert most == {"all": 3, greedy: 2, modest: 1}


@pytest.mark.parametrize("steps", range(5))
async def test_a_runner_ends_although_work_comes_in_the_moment_it_is_stopped(
    registry: ServiceRegistry, steps: int
) -> None:
    looking = asyncio.create_task(Runner(registry).run())
    await asyncio.sleep(0.1)  # it waits for news now
    registry.service(Operations).wake_up.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    looking.cancel()
    await asyncio.wait([looking], timeout=5)
    assert looking.cancelled()


async def test_several_processes_carry_each_operation_out_once(
    registry: ServiceRegistry, other: ServiceRegistry, campaign: int
) -> None:
    begun: list[int] = []

    async def export(request: Any, progress: Any) -> None:
        begun.append(progress.operation_id)
        await asyncio.sleep(0.01)

    for process in (registry, other):
        process.named("content").export = export  # type: ignore[method-assign]
    with within(campaign):
        started = [(await start_export(registry)).id for _ in range(20)]
        async with carrying_out(registry), carrying_out(other):
            for id in started:
                await finished(registry, id)
    assert sorted(begun) == sorted(started)


class Elsewhere(Service, base=True):
    """A service that runs in another process, and is not asked here."""


def without(database: Database, folder: str) -> ServiceRegistry:
    """A process in which a service does not run."""
    return ServiceRegistry(
        database, lambda service: Elsewhere(database, None) if service.subject.folder == folder else None
    )


async def test_a_process_starts_work_without_the_service_of_operations_and_does_that_of_its_own_services(
    database: Database, registry: ServiceRegistry, campaign: int
) -> None:
    with within(campaign):
        accepted = await start_import(without(database, "operation"), lines(2))
        async with carrying_out(without(database, "content")) as elsewhere:
            await asyncio.sleep(0.3)
            assert (await registry.service(Operations).get(accepted.id)).state is QUEUED
            async with carrying_out(without(database, "operation")):
                done = await finished(registry, accepted.id)
            await elsewhere.stop()
        assert done.state is SUCCEEDED
