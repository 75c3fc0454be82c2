"""Operations: accepted at once, carried out beside, finished once, and told of without a flood of events."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.context import PLATFORM, Role
from ovasabi.kernel.errors import EntityNotFound, KeyReused
from ovasabi.kernel.events import read_events
from ovasabi.kernel.exchange import ImportRequest
from ovasabi.kernel.keys import create_key, revoke_key
from ovasabi.kernel.listing import ListRequest
from ovasabi.kernel.methods import Call
from ovasabi.kernel.methods import Operation as Offer
from ovasabi.kernel.moves import MoveRefused
from ovasabi.kernel.rows import Draft
from ovasabi.kernel.service import Registry, Service
from ovasabi.lifecycle import migrations, partitions
from ovasabi.services.content.entity import ContentKind
from ovasabi.services.operation.errors import NoOutput, NotFinished, TooMany
from ovasabi.services.operation.running import ATTEMPTS, Runner, carrying_out
from ovasabi.services.operation.service import CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, DownloadQuery, Operations
from tests.conftest import new_campaign
from tests.integration.services.operation_kit import (
    Crash,
    as_somebody,
    count,
    downloaded,
    finished,
    lines,
    reached,
    start,
    start_export,
    start_import,
    within,
)


@pytest_asyncio.fixture(scope="module")
async def own_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A migrated database of these tests' own: a server of other tests would take their work on."""
    name = f"operations_{uuid.uuid4().hex[:8]}"
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await migrations.upgrade(server.url(name))
    yield server.url(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest_asyncio.fixture(scope="module")
async def database(own_url: str) -> AsyncIterator[Database]:
    """Open pools on it."""
    opened = await Database(own_url, readers=4, writers=8).open()
    await partitions.ensure(opened, 1)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def registry(database: Database) -> Registry:
    """A process of its own, as far as operations are concerned."""
    return Registry(database)


@pytest_asyncio.fixture
async def other(database: Database) -> Registry:
    """Another process."""
    return Registry(database)


async def test_an_import_is_accepted_at_once_and_tells_what_became_of_each_line(
    registry: Registry, campaign: int
) -> None:
    data = lines(300) + '{"titel": "wrong"}\n{bad\n' + lines(1, slug="s") + lines(1, slug="s", body="other")
    with as_somebody(campaign, "ann"):
        accepted = await start_import(registry, data)
        assert (accepted.state, accepted.kind, accepted.version) == (QUEUED, "contents_import", 1)
        assert await count(registry) == 0
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
        assert (done.state, done.done, done.total, done.error) == (SUCCEEDED, 304, 304, None)
        assert done.result is not None
        assert (done.result["created"], done.result["present"], done.result["rejected"]) == (301, 0, 3)
        rejects = {reject["line"]: reject for reject in done.result["rejects"]}
        assert rejects[301]["field"] == "titel"
        assert "no JSON" in rejects[302]["reason"]
        assert rejects[304]["field"] == "slug"
        assert await count(registry) == 301


async def test_moves_of_its_state_are_events_and_its_progress_is_none(registry: Registry, campaign: int) -> None:
    with as_somebody(campaign, "ben"):
        accepted = await start_import(registry, lines(6_000))
        seen = set()
        async with carrying_out(registry):
            operation = await reached(registry, accepted.id, lambda operation: operation.done > 0)
            while operation.finished_at is None:
                seen.add((operation.done, operation.version))
                operation = await registry.service(Operations).get(accepted.id)
                await asyncio.sleep(0.05)
        assert len({done for done, _ in seen}) > 1
        assert {version for _, version in seen} == {2}
        events = await events_of(registry, accepted.id)
    assert [event.type for event in events] == [
        f"operation:{verb}:v1:success" for verb in ("create", "start", "succeed")
    ]
    assert {(event.actor, event.correlation_id) for event in events} == {("ben", "asked-by-ben")}


async def events_of(registry: Registry, id: int) -> list[Any]:
    """The events of an operation, when all are to be seen."""
    version = (await registry.service(Operations).get(id)).version
    for _ in range(500):
        events = await read_events(registry.database, entity_id=id)
        if events and events[-1].version == version:
            return events
        await asyncio.sleep(0.02)
    raise AssertionError("the events do not come")


async def test_what_it_creates_is_created_by_who_asked(registry: Registry, campaign: int) -> None:
    with as_somebody(campaign, "cleo"):
        accepted = await start_import(registry, lines(1))
        async with carrying_out(registry):
            await finished(registry, accepted.id)
        (content,) = (await registry.named("content").list(ListRequest())).items
        (event,) = await read_events(registry.database, entity_id=content.id)
    assert (event.actor, event.correlation_id) == ("cleo", "asked-by-cleo")


async def test_the_same_start_under_a_key_is_one_operation_also_at_once_and_when_it_is_over(
    registry: Registry, campaign: int
) -> None:
    with within(campaign):
        answers = await asyncio.gather(*(start_import(registry, lines(3), key="client:one") for _ in range(6)))
        assert [answer for answer in answers if answer != answers[0]] == []
        async with carrying_out(registry):
            done = await finished(registry, answers[0].id)
            assert await start_import(registry, lines(3), key="client:one") == answers[0]
            with pytest.raises(KeyReused):
                await start_import(registry, lines(4), key="client:one")
            await asyncio.sleep(0.3)
        assert await registry.service(Operations).get(done.id) == done
        assert await count(registry) == 3
        assert len((await registry.service(Operations).list(ListRequest())).items) == 1
    assert await unfinished(registry) == 0


async def unfinished(registry: Registry) -> int:
    """How much work there is in all campaigns, as a superuser sees it."""
    connection = await asyncpg.connect(registry.database.url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM operation_work"))
    finally:
        await connection.close()


async def test_the_same_lines_imported_again_are_in_already(registry: Registry, campaign: int) -> None:
    with within(campaign):
        async with carrying_out(registry):
            for created, present in ((400, 0), (0, 400)):
                accepted = await start_import(registry, lines(400))
                result = (await finished(registry, accepted.id)).result
                assert result == {"created": created, "present": present, "rejected": 0, "rejects": []}
        assert await count(registry) == 400


async def test_a_field_tells_lines_apart_and_csv_is_taken(registry: Registry, campaign: int) -> None:
    data = "legacy,title,tags\n1,One,a;b\n2,Two,\n1,One,a;b\n2,Changed,\n"
    with within(campaign):
        async with carrying_out(registry):
            accepted = await start(registry, "import", ImportRequest(data, "csv", key="legacy"))
            done = await finished(registry, accepted.id)
        assert done.result is not None
        assert (done.result["created"], done.result["present"], done.result["rejected"]) == (2, 1, 1)
        assert "said something else" in done.result["rejects"][0]["reason"]
        assert (done.done, done.total) == (4, 4)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ImportRequest('[{"title": "x"}]'), "not_importable"),
        (ImportRequest("   \n"), "not_importable"),
        (ImportRequest("titel\nx\n", "csv"), "not_importable"),
        (ImportRequest("title\nx\n", "csv", "legacy"), "not_importable"),
    ],
)
async def test_what_cannot_begin_fails_with_its_typed_error(
    registry: Registry, campaign: int, request_: ImportRequest, code: str
) -> None:
    with as_somebody(campaign, "dan"):
        accepted = await start(registry, "import", request_)
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
        assert done.state is FAILED
        assert done.error is not None
        assert (done.error.kind, done.error.code, done.error.correlation_id) == ("invalid", code, "asked-by-dan")
        assert done.error.detail.endswith(".")
        assert await count(registry) == 0


async def test_an_error_that_should_not_be_is_told_without_its_inside(registry: Registry, campaign: int) -> None:
    async def export(request: Any, progress: Any) -> None:
        raise ZeroDivisionError("the inside")

    registry.named("content").export = export  # type: ignore[method-assign]
    with within(campaign):
        accepted = await start_export(registry)
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
    assert done.state is FAILED
    assert done.error is not None
    assert done.error.code == "internal"
    assert "inside" not in msgspec.json.encode(done).decode()


async def test_what_time_mends_is_tried_again(registry: Registry, campaign: int) -> None:
    attempts = []

    async def export(request: Any, progress: Any) -> None:
        attempts.append(progress.marker)
        if len(attempts) < 3:
            await progress.step(len(attempts), marker=len(attempts), output=["x"])
            raise DatabaseUnavailable(reason="a test wants it so")

    registry.named("content").export = export  # type: ignore[method-assign]
    with within(campaign):
        accepted = await start_export(registry)
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
    assert (done.state, attempts) == (SUCCEEDED, [None, 1, 2])


async def test_who_gets_no_further_fails_after_a_few_attempts(
    registry: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    async def export(request: Any, progress: Any) -> None:
        begun.append(1)
        await asyncio.Event().wait()

    registry.named("content").export = export  # type: ignore[method-assign]
    with within(campaign):
        accepted = await start_export(registry)
        for attempt in range(1, ATTEMPTS + 1):
            crash = Crash(registry, 0.2)
            await until(lambda attempt=attempt: len(begun) == attempt)
            await crash.vanish(monkeypatch)
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
    assert len(begun) == ATTEMPTS
    assert done.error is not None
    assert done.error.code == "operation_abandoned"


async def until(condition: Any, seconds: float = 15) -> None:
    """Waits until something is so."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true in time")


async def test_an_export_imported_elsewhere_gives_the_same_drafts(registry: Registry, database: Database) -> None:
    here, there = await new_campaign(registry), await new_campaign(registry)
    until_then = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    metadata = {"tags": ["a"], "service_specific": {"content": {"section": "Ü", "n": [1, {"x": None, "y": 1.5}]}}}
    drafts: dict[str, list[dict[str, Any]]] = {
        "content": [
            {"title": f"C {n}", "body": 'Zeile "1"\nZeile 2 \\ \u2028', "slug": None, "tags": ["x", "y;z"]}
            | {"metadata": metadata}
            for n in range(450)
        ],
        "product": [{"name": f"P {n}", "metadata": {"tags": [str(n)]}} for n in range(3)],
        "quote": [
            {"description": "Q", "amount": Decimal("19.90000001") * n, "currency": "EUR", "valid_until": until_then}
            for n in range(1, 4)
        ],
    }
    async with carrying_out(registry):
        for name, values in drafts.items():
            with within(here):
                await registry.named(name).create_many([Draft(value) for value in values])
                exported = await finished(registry, (await start_export(registry, name)).id)
                assert exported.result is not None
                assert exported.result["entities"] == len(values) == exported.total
                pieces = await downloaded(registry, exported)
                text = "".join(pieces)
                assert exported.result["bytes"] == len(text.encode())
            with within(there):
                imported = await finished(
                    registry, (await start(registry, "import", ImportRequest(text), type=name)).id
                )
                assert imported.result == {"created": len(values), "present": 0, "rejected": 0, "rejects": []}
            both = []
            for campaign in (here, there):
                with within(campaign):
                    both.append(await drafts_of(registry, name))
            assert both[0] == both[1]
            assert len(both[0]) == len(values)
            assert {tuple(value) for value in both[0]} == {registry.named(name).repository.of.draft.__struct_fields__}
        assert len(pieces) == 1


async def drafts_of(registry: Registry, name: str) -> list[dict[str, Any]]:
    """The draft of each entity, in order of what it says: of those of one millisecond none is the first."""
    service = registry.named(name)
    fields = service.repository.of.draft.__struct_fields__
    items = (await service.list(ListRequest(page_size=1000))).items
    return sorted(({field: getattr(item, field) for field in fields} for item in items), key=str)


async def test_an_export_is_filtered_whole_or_empty_as_asked(registry: Registry, campaign: int) -> None:
    with within(campaign):
        contents = registry.named("content")
        made = [
            await contents.create({"title": f"t{n}", "kind": kind})
            for n, kind in enumerate((ContentKind.ARTICLE, ContentKind.STORY))
        ]
        async with carrying_out(registry):
            some = await finished(registry, (await start_export(registry, filter=f'kind = "{made[1].kind}"')).id)
            whole = await finished(registry, (await start_export(registry, whole=True)).id)
            none = await finished(registry, (await start_export(registry, filter='slug = "nothing"')).id)
            wrong = await finished(registry, (await start_export(registry, filter="nothing = 1")).id)
        assert [json.loads(line)["title"] for line in (await downloaded(registry, some))[0].splitlines()] == ["t1"]
        ids = [json.loads(line)["id"] for line in "".join(await downloaded(registry, whole)).splitlines()]
        assert ids == [content.id for content in made]
        assert await downloaded(registry, none) == [""]
        assert none.result == {"entities": 0, "bytes": 0}
        assert wrong.error is not None
        assert wrong.error.kind == "invalid"


async def test_large_rows_are_put_out_in_pieces_and_read_in_small_pages(registry: Registry, campaign: int) -> None:
    with within(campaign):
        contents = registry.named("content")
        await contents.create_many([Draft({"title": f"{n}", "body": "x" * 400_000}) for n in range(12)])
        async with carrying_out(registry):
            done = await finished(registry, (await start_export(registry)).id)
        pieces = await downloaded(registry, done)
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 1_500_000
    assert {json.loads(line)["title"] for line in "".join(pieces).splitlines()} == {str(n) for n in range(12)}


async def test_the_platform_has_operations_too(registry: Registry) -> None:
    name = f"u{uuid.uuid4().hex[:10]}"
    with within(PLATFORM):
        data = json.dumps({"username": name, "email": f"{name}@example.org", "password": "Str0ng!words"})
        async with carrying_out(registry):
            imported = await finished(registry, (await start(registry, "import", ImportRequest(data), type="user")).id)
            exported = await finished(registry, (await start_export(registry, "user")).id)
        assert imported.result is not None
        assert imported.result["created"] == 1
        assert imported.campaign_id == PLATFORM
        text = "".join(await downloaded(registry, exported))
    assert name in text
    assert "password" not in text


async def test_work_of_a_process_that_is_gone_goes_on_where_it_was(
    registry: Registry, other: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
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
    registry: Registry, other: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with within(campaign):
        contents = registry.named("content")
        for part in range(4):
            await contents.create_many([Draft({"title": f"{part}-{n}"}) for n in range(500)])
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
    registry: Registry, other: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
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
        monkeypatch.setattr(first, "_keep", late)  # it does not renew its lease, and does not notice
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
    registry: Registry, other: Registry, campaign: int
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


async def test_a_queued_operation_is_cancelled_at_once(registry: Registry, campaign: int) -> None:
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
    registry: Registry, other: Registry, campaign: int
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
    registry: Registry, other: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
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


async def test_work_ends_when_the_key_that_asked_for_it_is_revoked(registry: Registry, campaign: int) -> None:
    key = await create_key(registry.database, "leaked", Role.WRITER, campaign_id=campaign)
    prefix = key.split("_")[1]
    with as_somebody(campaign, f"key:{prefix}"):
        waiting, running = await start_import(registry, lines(1)), await start_import(registry, lines(20_000))
        async with carrying_out(registry):
            await reached(registry, running.id, lambda operation: operation.done >= 200)
            third = await start_import(registry, lines(20_001))
            await revoke_key(registry.database, prefix)
            for operation in (running, third):
                done = await finished(registry, operation.id)
                assert done.error is not None
                assert (done.state, done.error.code) == (FAILED, "operation_key_revoked")
        assert (await finished(registry, waiting.id)).state is SUCCEEDED


async def test_a_process_carries_a_few_out_at_a_time_and_leaves_room_for_others(registry: Registry) -> None:
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


async def test_several_processes_carry_each_operation_out_once(
    registry: Registry, other: Registry, campaign: int
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


def without(database: Database, folder: str) -> Registry:
    """A process in which a service does not run."""
    return Registry(database, lambda service: Elsewhere(database, None) if service.subject.folder == folder else None)


async def test_a_process_starts_work_without_the_service_of_operations_and_does_that_of_its_own_services(
    database: Database, registry: Registry, campaign: int
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


async def test_a_campaign_has_only_so_much_unfinished(
    registry: Registry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovasabi.services.operation.service.UNFINISHED_AT_MOST", 2)
    with within(campaign):
        first = await start_export(registry, key="client:first")
        await start_export(registry)
        with pytest.raises(TooMany):
            await start_export(registry)
        assert await start_export(registry, key="client:first") == first
    other = await new_campaign(registry)
    with within(other):
        await start_export(registry)
    for number in (campaign, other):
        with within(number):
            for operation in (await registry.service(Operations).list(ListRequest())).items:
                await registry.service(Operations).cancel(operation)
            assert len((await registry.service(Operations).list(ListRequest())).items) == (
                2 if number == campaign else 1
            )


async def test_another_campaign_neither_sees_cancels_downloads_nor_deletes_it(
    registry: Registry, campaign: int
) -> None:
    with within(campaign):
        await registry.named("content").create({"title": "ours"})
        async with carrying_out(registry):
            done = await finished(registry, (await start_export(registry)).id)
        waiting = await start_import(registry, lines(1))
    operations = registry.service(Operations)
    methods = {method.name: method for method in operations.methods()}
    for outside in (await new_campaign(registry), PLATFORM):
        with within(outside):
            for operation in (done, waiting):
                with pytest.raises(EntityNotFound):
                    await operations.get(operation.id)
                with pytest.raises(EntityNotFound):
                    await operations.delete(operation.id)
                for name, request in (("cancel", None), ("download", DownloadQuery())):
                    with pytest.raises(EntityNotFound):
                        await operations.run(Call(methods[name], None, str(operation.id), request))
            # Not even who has the entity in hand, from elsewhere, gets at what is kept of it.
            with pytest.raises(NoOutput):
                await operations.download(done, DownloadQuery())
            assert (await operations.list(ListRequest(filter=f"id = {done.id}"))).items == []
    with within(campaign):
        assert (await operations.get(waiting.id)).state is QUEUED
        assert len(await downloaded(registry, done)) == 1
        await operations.cancel(waiting)


async def test_what_is_not_finished_is_neither_downloaded_nor_deleted(registry: Registry, campaign: int) -> None:
    operations = registry.service(Operations)
    with within(campaign):
        accepted = await start_import(registry, lines(1))
        with pytest.raises(NotFinished):
            await operations.download(accepted, DownloadQuery())
        with pytest.raises(NotFinished):
            await operations.delete(accepted.id)
        async with carrying_out(registry):
            done = await finished(registry, accepted.id)
        with pytest.raises(NoOutput):
            await operations.download(done, DownloadQuery())


async def test_a_delete_takes_the_output_with_it(registry: Registry, campaign: int) -> None:
    query = "SELECT count(*) FROM operation_output WHERE operation_id = $1"
    connection = await asyncpg.connect(registry.database.url)
    try:
        with within(campaign):
            async with carrying_out(registry):
                done = await finished(registry, (await start_export(registry)).id)
            assert await connection.fetchval(query, done.id) == 1
            await registry.service(Operations).delete(done.id)
            assert await connection.fetchval(query, done.id) == 0
            with pytest.raises(EntityNotFound):
                await registry.service(Operations).get(done.id)
    finally:
        await connection.close()


def test_its_doors_offer_what_clients_may_do_and_no_more() -> None:
    assert [method.name for method in Operations.methods()] == ["get", "list", "delete", "cancel", "download"]
    assert {method.operation for method in Operations.methods()}.isdisjoint({Offer.CREATE, Offer.UPDATE, Offer.RESTORE})
