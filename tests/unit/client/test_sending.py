"""How the client sends: what it repeats and what it never does, how it tells errors, and how it follows a stream."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ovasabi_client
from ovasabi_client import AsyncClient, Client, Event, OperationState, retries
from ovasabi_client.streams import Reader
from tests.unit.client.fixtures import HANG_UP, Scripted, answer, problem, scripted, stream

RECORD: dict[str, Any] = {
    "id": 1, "uuid": "01936f5e-0000-7000-8000-000000000000", "campaign_id": 1, "type": "content", "name": "x",
    "status": "active", "version": 1, "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z",
}  # fmt: skip
CONTENT = {name: RECORD[name] for name in RECORD if name not in ("type", "name", "status")} | {"title": "x"}
EVENT: dict[str, Any] = {
    "id": 1, "type": "content:create:v1:success", "campaign_id": 1, "master_id": 1, "version": 1,
    "occurred_at": "2026-11-21T08:00:00Z", "actor": "key:a", "correlation_id": None, "causation_id": None,
    "payload": {}, "cursor": "1-1",
}  # fmt: skip
OPERATION = CONTENT | {"kind": "article", "request_digest": "", "state": "running"}
GOOD, BUSY, AWAY = answer(200, OPERATION), problem(429, "overloaded"), problem(503, "database_unavailable")
Do = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are as short as they may be."""
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a call with one of both clients; answers what it answered."""

    def with_sync(server: Scripted, do: Do, **options: Any) -> Any:
        with Client(server.address, "ovk_test", **options) as client:
            return do(client.campaign("a/b"))

    def with_async(server: Scripted, do: Do, **options: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(server.address, "ovk_test", **options) as client:
                return await do(client.campaign("a/b"))

        return asyncio.run(run())

    return with_sync if request.param == "sync" else with_async


def create(campaign: Any) -> Any:
    return campaign.contents.create(title="x", slug=None)


def get(campaign: Any) -> Any:
    return campaign.contents.get(1)


def export(campaign: Any) -> Any:
    return campaign.contents.export(filter="tags:a")


def publish(campaign: Any) -> Any:
    return campaign.contents.publish(1)


def update(campaign: Any) -> Any:
    return campaign.contents.update(1, body="", expected_version=3)


def test_a_request_says_what_was_given_and_nothing_else(call: Callable[..., Any]) -> None:
    with scripted(GOOD) as server:
        assert call(server, create, headers={"X-Correlation-Id": "order-4711"}).title == "x"
        call(server, update)
        call(server, publish)
    made, changed, published = server.asked
    assert made.line == "POST /v1/campaigns/a%2Fb/contents HTTP/1.1"
    assert json.loads(made.body) == {"title": "x", "slug": None}
    assert made.headers["authorization"] == "Bearer ovk_test"
    assert made.headers["x-correlation-id"] == "order-4711"
    assert len(made.headers["idempotency-key"]) == 32
    assert (changed.line, json.loads(changed.body)) == ("PATCH /v1/campaigns/a%2Fb/contents/1 HTTP/1.1", {"body": ""})
    assert changed.headers["if-match"] == '"3"'
    assert "idempotency-key" not in changed.headers
    assert published.line == "POST /v1/campaigns/a%2Fb/contents/1:publish HTTP/1.1"
    assert published.body == b""
    assert "if-match" not in published.headers


@pytest.mark.parametrize("trouble", [HANG_UP, AWAY, BUSY, answer(502, "<html>")], ids=["lost", "503", "429", "502"])
@pytest.mark.parametrize("do", [create, get, export])
def test_what_does_no_harm_is_sent_again(call: Callable[..., Any], do: Do, trouble: bytes) -> None:
    with scripted(trouble, trouble, GOOD) as server:
        assert call(server, do).id == 1
    assert len(server.asked) == 3
    assert len({asked.headers.get("idempotency-key") for asked in server.asked}) == 1


@pytest.mark.parametrize("do", [publish, update])
def test_a_change_that_may_have_been_done_is_not_sent_again(call: Callable[..., Any], do: Do) -> None:
    with scripted(HANG_UP) as server, pytest.raises(ovasabi_client.ConnectionFailed, match="received no response"):
        call(server, do)
    assert len(server.asked) == 1
    with scripted(AWAY) as server, pytest.raises(ovasabi_client.DatabaseUnavailable):
        call(server, do)
    assert len(server.asked) == 1


def test_a_change_that_was_refused_undone_is_sent_again(call: Callable[..., Any]) -> None:
    with scripted(BUSY, GOOD) as server:
        assert call(server, publish).id == 1
    assert len(server.asked) == 2


def test_it_is_sent_again_so_often_and_no_more(call: Callable[..., Any]) -> None:
    with scripted(AWAY) as server, pytest.raises(ovasabi_client.Unavailable):
        call(server, get, retries=2)
    assert len(server.asked) == 3
    with scripted(HANG_UP) as server, pytest.raises(ovasabi_client.ConnectionFailed):
        call(server, create, retries=0)
    assert len(server.asked) == 1


def test_what_is_not_a_matter_of_time_is_not_sent_again(call: Callable[..., Any]) -> None:
    for status, code, kind in ((400, "invalid_value", "Invalid"), (504, "deadline_exceeded", "OutOfTime")):
        with scripted(problem(status, code)) as server, pytest.raises(getattr(ovasabi_client, kind)):
            call(server, get)
        assert len(server.asked) == 1


def test_nobody_who_listens_is_a_sentence(call: Callable[..., Any]) -> None:
    with scripted(GOOD) as server:
        pass
    with pytest.raises(ovasabi_client.ConnectionFailed, match="contents/1 received no response"):
        call(server, get)


def test_what_cannot_be_sent_is_told_at_once_and_never_with_the_key(call: Callable[..., Any]) -> None:
    with scripted(GOOD) as server, pytest.raises(ovasabi_client.ConnectionFailed, match="Illegal header value"):
        call(server, lambda campaign: campaign.contents.create(title="x", idempotency_key="a\nb"))
    for key in ("ovk_secret\nx", "ovk_secret\u00e4", "ovk_secret x", ""):
        for kind in (Client, AsyncClient):
            with pytest.raises(ValueError, match="not an API key") as caught:
                kind("http://127.0.0.1:1", key)
            assert "secret" not in str(caught.value)
    assert "secret" not in repr(Client("http://127.0.0.1:1", " ovk_secret\n"))


def test_the_pause_is_as_long_as_the_server_asks_for_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 10.0)
    counted = retries.Retries(True, 9)
    assert counted.after_response(429, {"retry-after": "7"}) == 7
    assert counted.after_response(503, {"retry-after": "7000"}) == 10
    assert 0 < (counted.after_response(503, {"retry-after": "Sat, 21 Nov 2026 08:00:00 GMT"}) or 0) < 1
    assert counted.after_response(200, {}) is None
    assert retries.Retries(True, 0).after_response(429, {}) is None


def test_an_error_has_the_class_of_its_code_else_of_its_status(call: Callable[..., Any]) -> None:
    with scripted(problem(412, "version_conflict")) as server, pytest.raises(ovasabi_client.VersionConflict) as caught:
        call(server, update)
    error = caught.value
    assert isinstance(error, ovasabi_client.Conflict)
    assert (error.kind, error.status, error.code) == ("conflict", 412, "version_conflict")
    assert (error.detail, error.hint, error.correlation_id) == ("It is version_conflict.", "Do this.", "c" * 22)
    assert str(error) == "It is version_conflict. Do this."
    for status, cls in ((404, "NotFound"), (403, "Denied"), (409, "Conflict"), (401, "Unauthenticated")):
        with scripted(problem(status, "of_a_newer_server")) as server:
            with pytest.raises(getattr(ovasabi_client, cls)) as caught:
                call(server, get)
            assert caught.value.code == "of_a_newer_server"


def test_what_is_not_an_answer_of_ovasabi_is_told_as_such(call: Callable[..., Any]) -> None:
    unreadable = pytest.raises(ovasabi_client.ResponseUnreadable, match="missing required field `id`")
    with scripted(answer(200, {"no": "content"})) as server, unreadable:
        call(server, get)
    with scripted(answer(418, "a teapot")) as server, pytest.raises(ovasabi_client.ApiError) as caught:
        call(server, get)
    assert (caught.value.status, caught.value.code) == (418, "http_418")
    assert "a teapot" in caught.value.detail


def test_pages_are_fetched_one_after_the_other_and_only_when_they_are_needed() -> None:
    pages = [{"contents": [CONTENT] * 2, "next_page_token": token} for token in ("b c", "d", "")]
    with scripted(*(answer(200, page) for page in pages)) as server, Client(server.address, "k") as client:
        contents = client.campaign("a").contents.list(filter='kind = "article"', page_size=2)
        assert server.asked == []
        assert len(list(itertools.islice(contents, 2))) == 2
        assert len(server.asked) == 1
        assert len(list(contents)) == 4
    first = {"page_size": "2", "filter": 'kind = "article"'}
    assert [asked.query for asked in server.asked] == [
        first,
        first | {"page_token": "b c"},
        first | {"page_token": "d"},
    ]


def test_events_are_read_up_to_the_end_of_the_log() -> None:
    pages = [{"events": [EVENT], "next_cursor": "1-1"}, {"events": [], "next_cursor": "1-1"}]
    with scripted(*(answer(200, page) for page in pages)) as server, Client(server.address, "k") as client:
        assert [event.id for event in client.events.list(types="content:create:v1:success")] == [1]
    assert [asked.query.get("after") for asked in server.asked] == [None, "1-1"]


ENDED = OPERATION | {"state": "failed", "finished_at": "2026-11-21T08:00:01Z"}


def wait(campaign: Any) -> Any:
    return campaign.operations.wait(1, timeout=5)


def test_an_operation_is_waited_for_until_it_has_ended_or_time_is_up(call: Callable[..., Any]) -> None:
    running, ended = answer(200, OPERATION), answer(200, ENDED)
    with scripted(running, running, ended) as server:
        assert call(server, wait).state is OperationState.FAILED
    assert len(server.asked) == 3
    with scripted(running) as server, pytest.raises(TimeoutError, match=r"was not done after 0\.3 seconds"):
        call(server, lambda campaign: campaign.operations.wait(1, timeout=0.3))
    assert 2 <= len(server.asked) <= 4


def events(*numbers: int) -> Iterator[str]:
    """Messages of a watch."""
    for number in numbers:
        data = json.dumps(
            {"cursor": f"1-{number}", "event": EVENT | {"id": number, "actor": "a\u2028b"}}, ensure_ascii=False
        )
        yield f"id: 1-{number}\ndata: {data}\n\n"


ERROR = f"event: error\ndata: {json.dumps({'status': 503, 'code': 'watch_ended', 'detail': 'It stops.'})}\n\n"
REFUSED = f"event: error\ndata: {json.dumps({'status': 403, 'code': 'forbidden', 'detail': 'No.'})}\n\n"


def watched(server: Scripted, count: int) -> list[Event]:
    """The first events of a watch, by both clients the same."""
    with Client(server.address, "k") as client:
        return list(itertools.islice(client.campaign("a").events.watch(after="now"), count))


async def test_a_watch_goes_on_from_the_last_event_when_its_connection_breaks() -> None:
    parts = (": watching\n\n", *events(1, 2), ": heartbeat\nid: 1-7\n\n", "id: 1-8\ndata: {")
    with scripted(stream(*parts), HANG_UP, stream(ERROR), stream(*events(8, 9))) as server:
        seen = await asyncio.to_thread(watched, server, 4)
    assert [event.id for event in seen] == [1, 2, 8, 9]
    assert seen[0].actor == "a\u2028b"
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "1-7", "1-7", "1-7"]
    with scripted(stream(*events(1)), stream(*events(2))) as server:
        async with AsyncClient(server.address, "k") as client:
            numbers = []
            async for event in client.events.watch():
                numbers.append(event.id)
                if event.id == 2:
                    break
    assert numbers == [1, 2]
    assert server.asked[1].headers["last-event-id"] == "1-1"


def test_a_watch_that_is_refused_or_never_begins_ends() -> None:
    with scripted(stream(*events(1), REFUSED)) as server, pytest.raises(ovasabi_client.Forbidden):
        watched(server, 2)
    assert len(server.asked) == 1
    for trouble, kind in ((stream(ERROR), ovasabi_client.WatchEnded), (HANG_UP, ovasabi_client.ConnectionFailed)):
        with scripted(trouble) as server, pytest.raises(kind):
            watched(server, 1)
        assert len(server.asked) == 4
    with scripted(problem(401, "unauthenticated")) as server, pytest.raises(ovasabi_client.Unauthenticated):
        watched(server, 1)


def test_a_message_is_whole_wherever_the_bytes_are_cut() -> None:
    text = "".join(events(1, 2)).replace("\n\n", "\r\n\r\n").encode() + b"event: x\ndata: a\ndata: b\n\n"
    for size in (1, 2, 7, 1000):
        reader = Reader()
        parts = [text[place : place + size] for place in range(0, len(text), size)]
        messages = [message for part in parts for message in reader.take(part)]
        assert [message.event for message in messages] == ["message", "message", "x"]
        assert messages[2].data == "a\nb"
        assert "a\u2028b" in messages[0].data
        assert reader.last_id == "1-2"
