"""What a stranger sends over a connection is bounded in bytes and time, and refused with a problem document."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ovasabi.cli.listen import serve_http
from ovasabi.gateway.http.connection import MAX_PIPELINED, Bounds
from ovasabi.gateway.wire.limits import MAX_BODY_BYTES

BOUNDS = Bounds(
    connections=8, head_seconds=0.5, body_seconds=1, write_seconds=0.5, linger_seconds=0.3, sweep_seconds=0.1
)
HEAD = b"GET /hello HTTP/1.1\r\nHost: x\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: x\r\n"


class Server(msgspec.Struct):
    """A server with a small application, and what the application was asked."""

    port: int
    seen: list[str] = []

    async def open(self) -> "Stranger":
        """A new connection."""
        return Stranger(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**24))

    async def answers(self, *parts: bytes) -> list["Answer"]:
        """What is answered over a new connection, until it is closed."""
        async with await self.open() as stranger:
            for part in parts:
                await stranger.send(part)
            return await stranger.rest()


class Answer(msgspec.Struct):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of the problem document, which must be complete."""
        problem = json.loads(self.body)
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["connection"] == "close"
        assert problem["status"] == self.status
        assert problem["correlation_id"]
        return str(problem["code"])


class Stranger:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def __aenter__(self) -> "Stranger":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Sends bytes; that the server does not want them any more is no error here."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def next(self) -> Answer:
        """The next response."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(head[0].split()[1]), headers, body)

    async def rest(self) -> list[Answer]:
        """All responses until the server closes the connection."""
        found = []
        while True:
            try:
                found.append(await self.next())
            except (asyncio.IncompleteReadError, ConnectionError):
                return found


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A server with small bounds."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(100)
    listener.setblocking(False)
    here, ready = Server(listener.getsockname()[1]), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        here.seen.append(scope["path"])
        size = 0
        if scope["path"] == "/upload":
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                size, more = size + len(message["body"]), message["more_body"]
        if scope["path"] == "/slow":
            await asyncio.sleep(1.2)
        body = b"x" * 50_000_000 if scope["path"] == "/large" else str(size).encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def nothing() -> None:
        pass

    serving = asyncio.create_task(serve_http(app, listener, ready.set, nothing, BOUNDS))
    await ready.wait()
    yield here
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    listener.close()


def outcome(answers: list[Answer]) -> list[tuple[int, str]]:
    """The statuses and codes of refusals."""
    return [(answer.status, answer.code) for answer in answers]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "target_too_long"),
        (b"GET /?" + b"a" * 8_000_000, 414, "target_too_long"),
        (HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD + b"X: " + b"a" * 8_000_000, 431, "headers_too_large"),
        (HEAD + b"a" * 8_000_000, 431, "headers_too_large"),
        (HEAD + b"X: y\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
        (HEAD + b"X: y\r\n" * 1_000_000 + b"\r\n", 431, "headers_too_large"),
        (HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(5_000)), 431, "headers_too_large"),
        (b"GET /hello HTTP/1.1\r\n\r\n", 400, "invalid_request"),
        (b"GET /hello HTTP/1.0\r\n\r\n", 400, "invalid_request"),
        (b"GET /hello\r\n\r\n", 400, "invalid_request"),
        (b"GET /hello HTTP/0.9\r\nHost: x\r\n\r\n", 400, "invalid_request"),
        (b"GET /hello HTTP/3.7\r\nHost: x\r\n\r\n", 400, "invalid_request"),
        (HEAD + b"Host: y\r\n\r\n", 400, "invalid_request"),
        (HEAD + b"Authorization: a\r\nAuthorization: b\r\n\r\n", 400, "invalid_request"),
        (HEAD + b"authorization: a\r\nAUTHORIZATION: a\r\n\r\n", 400, "invalid_request"),
        ("GET /größe HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, "invalid_request"),
        ("GET /?q=größe HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, "invalid_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid_request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_request"),
        (UPLOAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "invalid_request"),
        (UPLOAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "invalid_request"),
        (UPLOAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_request"),
    ],
    ids=range(23),
)
async def test_what_is_too_large_or_malformed_is_refused(
    server: Server, request_: bytes, status: int, code: str
) -> None:
    assert outcome(await server.answers(request_)) == [(status, code)]
    assert "/hello" not in server.seen


async def test_what_is_just_within_the_limits_is_answered(server: Server) -> None:
    target = b"GET /hello?" + b"a" * (16 * 1024 - 7) + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 100) for number in range(98))
    assert [answer.status for answer in await server.answers(target + headers + b"\r\n")] == [200]


@pytest.mark.parametrize("slowly", [b"", b"GET /", HEAD, HEAD + b"X: ", b"\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(server: Server, slowly: bytes) -> None:
    async with await server.open() as stranger:
        drips = asyncio.create_task(_drip(stranger, slowly or b""))
        refusals = outcome(await stranger.rest())
        drips.cancel()
    assert refusals == ([] if slowly.strip() == b"" else [(408, "request_timed_out")])


async def _drip(stranger: Stranger, start: bytes) -> None:
    await stranger.send(start)
    while start:
        await asyncio.sleep(0.1)
        await stranger.send(b"\r\n" if start == b"\r\n" else b"a")


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 9000\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", b"Content-Length: 9000\r\n\r\n"],
)
async def test_a_body_that_does_not_end_is_not_waited_for(server: Server, body: bytes) -> None:
    assert outcome(await server.answers(UPLOAD + body)) == [(408, "request_timed_out")]


async def test_a_body_in_small_pieces_is_not_waited_for_either(server: Server) -> None:
    async with await server.open() as stranger:
        drips = asyncio.create_task(_drip(stranger, UPLOAD + b"Content-Length: 9000\r\n\r\nx"))
        assert outcome(await stranger.rest()) == [(408, "request_timed_out")]
        drips.cancel()


@pytest.mark.parametrize("chunk", [b"1;" + b"e" * 60_000 + b"\r\nx\r\n", b"1\r\nx\r\n" * 10_000])
async def test_chunks_with_more_around_them_than_in_them_are_bounded(server: Server, chunk: bytes) -> None:
    parts = [chunk] * (3 * MAX_BODY_BYTES // len(chunk))
    answers = await server.answers(UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n", *parts)
    assert outcome(answers) in ([(413, "body_too_large")], [(408, "request_timed_out")])


async def test_trailers_are_bounded_and_never_read(server: Server) -> None:
    trailers = [b"X: y\r\n" * 10_000] * 400
    refused = await server.answers(UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *trailers)
    assert [answer.status for answer in refused] in ([413], [408])
    taken = UPLOAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: y\r\n\r\n"
    assert [answer.status for answer in await server.answers(taken)] == [200]


async def test_time_of_the_server_is_not_the_client_s(server: Server) -> None:
    async with await server.open() as stranger:
        await stranger.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HT")
        assert (await stranger.next()).status == 200, "the limits of half a second are for what the client does"
        await stranger.send(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert (await stranger.next()).status == 200
    assert server.seen == ["/slow", "/hello"]


async def test_half_a_request_behind_another_is_refused_after_its_response(server: Server) -> None:
    answers = await server.answers(HEAD + b"\r\n" + b"GET /again HT")
    assert [answer.status for answer in answers] == [200, 408]


async def test_many_requests_at_once_are_bounded_and_those_that_are_taken_are_answered(server: Server) -> None:
    async with await server.open() as stranger:
        await stranger.send((HEAD + b"\r\n") * MAX_PIPELINED)
        for _ in range(MAX_PIPELINED):
            assert (await stranger.next()).status == 200
    assert len(await server.answers((b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") * 10_000)) <= 1
    assert server.seen.count("/slow") <= 1


async def test_a_client_that_does_not_read_is_disconnected(server: Server) -> None:
    for path in (b"/large", b"/large?again"):
        async with await server.open() as stranger:
            stranger.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await stranger.send(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(2)
            stranger.writer.transport.resume_reading()  # type: ignore[attr-defined]
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await stranger.next()


async def test_there_are_no_more_connections_than_allowed_and_places_become_free(server: Server) -> None:
    taken = [await server.open() for _ in range(BOUNDS.connections)]
    await asyncio.sleep(0.1)
    assert outcome(await server.answers(HEAD + b"\r\n")) == [(503, "too_many_connections")]
    for stranger in taken:
        assert await stranger.rest() == [], "they sent nothing"
    assert [answer.status for answer in await server.answers(HEAD + b"Connection: close\r\n\r\n")] == [200]


async def test_a_request_to_upgrade_is_answered_as_if_it_were_none(server: Server) -> None:
    upgrade = HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    async with await server.open() as stranger:
        await stranger.send(upgrade)
        assert (await stranger.next()).status == 200


async def test_nothing_a_stranger_sends_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    for request in (b"nonsense\r\n\r\n", HEAD + b"Host: y\r\n\r\n", UPLOAD + b"Content-Length: 9\r\n\r\n"):
        await server.answers(request)
    assert not caplog.records
