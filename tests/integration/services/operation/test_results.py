"""Operations: accepted at once, finished once, told of without a flood of events, and apart from each other."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from ovasabi.errors import DatabaseUnavailable
from ovasabi.kernel.call.context import PLATFORM
from ovasabi.kernel.call.errors import EntityNotFound, KeyReused
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.declare.methods import MethodKind as Offer
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.transfer.import_export import ImportRequest
from ovasabi.system.operation.errors import NoOutput, NotFinished, TooMany
from ovasabi.system.operation.running import ATTEMPTS, carrying_out
from ovasabi.system.operation.service import FAILED, QUEUED, SUCCEEDED, DownloadQuery, Operations
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
    start,
    start_export,
    start_import,
    until,
    within,
)


async def test_an_import_is_accepted_at_once_and_tells_what_became_of_each_line(
    registry: ServiceRegistry, campaign: int
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
        assert "not valid JSON" in rejects[302]["reason"]
        assert rejects[304]["field"] == "slug"
        assert await count(registry) == 301


async def test_moves_of_its_state_are_events_and_its_progress_is_none(registry: ServiceRegistry, campaign: int) -> None:
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


async def test_what_it_creates_is_created_by_who_asked(registry: ServiceRegistry, campaign: int) -> None:
    with as_somebody(campaign, "cleo"):
        accepted = await start_import(registry, lines(1))
        async with carrying_out(registry):
            await finished(registry, accepted.id)
        (content,) = (await registry.named("content").list(ListRequest())).items
        (event,) = await read_events(registry.database, entity_id=content.id)
    assert (event.actor, event.correlation_id) == ("cleo", "asked-by-cleo")


async def test_the_same_start_under_a_key_is_one_operation_also_at_once_and_when_it_is_over(
    registry: ServiceRegistry, campaign: int
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


async def unfinished(registry: ServiceRegistry) -> int:
    """How much work there is in all campaigns, as a superuser sees it."""
    connection = await asyncpg.connect(registry.database.url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM operation_work"))
    finally:
        await connection.close()


async def test_the_same_lines_imported_again_are_in_already(registry: ServiceRegistry, campaign: int) -> None:
    with within(campaign):
        async with carrying_out(registry):
            for created, present in ((400, 0), (0, 400)):
                accepted = await start_import(registry, lines(400))
                result = (await finished(registry, accepted.id)).result
                assert result == {"created": created, "present": present, "rejected": 0, "rejects": []}
        assert await count(registry) == 400


async def test_a_field_tells_lines_apart_and_csv_is_taken(registry: ServiceRegistry, campaign: int) -> None:
    data = "legacy,title,tags\n1,One,a;b\n2,Two,\n1,One,a;b\n2,Changed,\n"
    with within(campaign):
        async with carrying_out(registry):
            accepted = await start(registry, "import", ImportRequest(data, "csv", key="legacy"))
            done = await finished(registry, accepted.id)
        assert done.result is not None
        assert (done.result["created"], done.result["present"], done.result["rejected"]) == (2, 1, 1)
        assert "had different values" in done.result["rejects"][0]["reason"]
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
    registry: ServiceRegistry, campaign: int, request_: ImportRequest, code: str
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


async def test_an_error_that_should_not_be_is_told_without_its_inside(registry: ServiceRegistry, campaign: int) -> None:
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


async def test_what_time_mends_is_tried_again(registry: ServiceRegistry, campaign: int) -> None:
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
    registry: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
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


async def test_a_campaign_has_only_so_much_unfinished(
    registry: ServiceRegistry, campaign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ovasabi.system.operation.service.UNFINISHED_AT_MOST", 2)
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
    registry: ServiceRegistry, campaign: int
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


async def test_what_is_not_finished_is_neither_downloaded_nor_deleted(registry: ServiceRegistry, campaign: int) -> None:
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


async def test_a_delete_takes_the_output_with_it(registry: ServiceRegistry, campaign: int) -> None:
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
    assert [method.name for method in Operations.methods()] == [
        "get", "list", "delete", "allowed_moves", "cancel", "download",
    ]  # fmt: skip
    assert {method.operation for method in Operations.methods()}.isdisjoint({Offer.CREATE, Offer.UPDATE, Offer.RESTORE})
