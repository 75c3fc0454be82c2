"""Bounds what a stranger can do to an HTTP connection: the size of a request's head, its time, and the connections."""

import asyncio
from enum import Enum
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ovasabi.errors import OvasabiError
from ovasabi.gateway.http.failures import RequestInfo, failure
from ovasabi.gateway.wire.headers import SAFE
from ovasabi.gateway.wire.limits import (
    MAX_BODY_BYTES,
    BodyTooLarge,
    HeadersTooLarge,
    RequestTimedOut,
    TargetTooLong,
    TooManyConnections,
)
from ovasabi.gateway.wire.problems import BadRequest
from ovasabi.kernel.call.context import new_correlation_id

MAX_PIPELINED = 16
MAX_ENCODED_BYTES = 2 * MAX_BODY_BYTES
"""How much a body may take on the wire, with the sizes of its chunks and with trailers."""
ONCE = (b"host", b"authorization", b"content-type", b"idempotency-key", b"x-causation-id")
"""Headers that a request has at most once: of two, a proxy could read one, and we the other."""


class Bounds(msgspec.Struct, frozen=True):
    """The limits of HTTP connections, in bytes and seconds."""

    connections: int = 10_000
    target_bytes: int = 16 * 1024
    head_bytes: int = 32 * 1024
    headers: int = 100
    head_seconds: float = 10
    body_seconds: float = 60
    write_seconds: float = 60
    """How long a client may leave a response unread."""
    sweep_seconds: float = 1
    """How often all connections are looked at for those that have run out of time."""
    linger_seconds: float = 2
    """How long a refused request is still read: a connection that is closed with unread data loses the response."""


class Part(Enum):
    """The part of a request that a connection is reading."""

    NONE = "first byte"
    HEAD = "head"
    BODY = "body"


class BoundedConnection(HttpToolsProtocol):
    """A connection that is refused, with a problem document, as soon as it exceeds a limit."""

    def __init__(self, *arguments: Any, bounds: Bounds, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._part = Part.NONE
        self._received = 0
        """Bytes of this part, counted by the chunks in which they are read."""
        self._chunk = self._uncounted = 0
        self._deadline: float | None = None
        """Until when the client has to go on; None while we do."""
        self._reason: OvasabiError | None = None
        self._is_refused = False

    # Called by the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accepts the connection, unless there are too many."""
        super().connection_made(transport)
        self._expect_within(self._bounds.head_seconds)
        if len(self.connections) > self._bounds.connections:
            self._is_refused = True
            transport.write(_response(TooManyConnections(limit=self._bounds.connections)))
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Parses what arrived; of a connection that was refused, it is discarded."""
        if self._is_refused:
            return
        self._chunk = self._uncounted = len(data)
        if self._deadline is None and not self._is_at_work():
            self._expect_within(self._bounds.head_seconds)
        super().data_received(data)
        self._received += self._uncounted
        reason = self._exceeded()
        if reason is not None and not self._is_refused:
            self._refuse(reason)

    def pause_writing(self) -> None:
        """Begins to measure for how long the client does not read."""
        super().pause_writing()
        self._expect_within(self._bounds.write_seconds)

    def resume_writing(self) -> None:
        """Notes that the client reads again."""
        super().resume_writing()
        self._deadline = None
        if self._part is Part.BODY:
            self._expect_within(self._bounds.body_seconds)

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Begins the head of a request."""
        super().on_message_begin()
        self._part = Part.HEAD

    def on_headers_complete(self) -> None:
        """Begins a request, unless its head is not acceptable."""
        self._reason = self._unacceptable()
        if self._reason is not None:
            raise ValueError  # ends the parser, which has the request refused
        self._begin(Part.BODY)
        self._expect_within(self._bounds.body_seconds)
        super().on_headers_complete()
        self.headers = []  # for trailers, which could contradict the headers

    def on_message_complete(self) -> None:
        """Ends a request: what takes time from here on is our work."""
        super().on_message_complete()
        self._begin(Part.NONE)
        self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """Refuses what the parser does not accept, with our own reason if there is one."""
        self._refuse(self._reason or BadRequest(problem="The request is not valid HTTP."))

    def on_response_complete(self) -> None:
        """Waits for the next request, of which a part may have arrived meanwhile."""
        super().on_response_complete()
        if self._deadline is None and self._part is Part.HEAD and not self._is_at_work():
            self._unset_keepalive_if_required()
            self._expect_within(self._bounds.head_seconds)

    # The limits.

    def expire(self, now: float) -> None:
        """Ends the connection if its client has not gone on in time."""
        if self._deadline is None:
            if self.transport.is_closing():  # with a response that was not read
                self._expect_within(self._bounds.write_seconds)
        elif now < self._deadline:
            return
        elif self._is_refused or self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
        elif self._part is Part.NONE:
            self.transport.close()
        else:
            in_body = self._part is Part.BODY
            seconds = self._bounds.body_seconds if in_body else self._bounds.head_seconds
            self._refuse(RequestTimedOut(part=self._part.value, seconds=f"{seconds:g}"))

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The last request, with the state of its response."""
        return self.cycle

    def _begin(self, part: Part) -> None:
        self._part = part
        self._received = self._uncounted = 0

    def _expect_within(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _is_at_work(self) -> bool:
        return self._last is not None and not self._last.response_complete

    def _exceeded(self) -> OvasabiError | None:
        """Returns which limit a part of a request exceeds that has not ended."""
        if self._part is Part.BODY:
            return BodyTooLarge(limit=MAX_BODY_BYTES) if self._received > MAX_ENCODED_BYTES else None
        if self._received > self._bounds.head_bytes:
            return self._too_large() if self.headers else TargetTooLong(limit=self._bounds.target_bytes)
        return None

    def _unacceptable(self) -> OvasabiError | None:
        """Returns what is wrong with the head of a request."""
        if len(self.url) > self._bounds.target_bytes:
            return TargetTooLong(limit=self._bounds.target_bytes)
        if len(self.headers) > self._bounds.headers:
            return self._too_large()
        if self._received + self._chunk > self._bounds.head_bytes and self._head_bytes() > self._bounds.head_bytes:
            return self._too_large()
        if len(self.pipeline) >= MAX_PIPELINED:
            return BadRequest(problem=f"More than {MAX_PIPELINED} requests were sent without reading the responses.")
        if not self.url.isascii():
            hint = "Percent-encode the bytes of its UTF-8 form: ü is %C3%BC."
            return BadRequest(problem="The path or query has a character that is not ASCII.", hint=hint)
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            return BadRequest(problem="The request uses a version of HTTP other than 1.1 and 1.0.")
        names = [name for name, _ in self.headers]
        if b"host" not in names:
            return BadRequest(problem="The header Host is missing.")
        if len(set(names)) < len(names):
            for name in ONCE:
                if names.count(name) > 1:
                    return BadRequest(problem=f"The header {name.decode().title()} appears more than once.")
        return None

    def _head_bytes(self) -> int:
        return sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)

    def _too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(count=self._bounds.headers, limit=self._bounds.head_bytes)

    def _refuse(self, reason: OvasabiError) -> None:
        """Answers with an error if no other response is on its way, and reads no further requests."""
        self._is_refused = True
        self._unset_keepalive_if_required()
        self._expect_within(self._bounds.linger_seconds)
        last, reads_body = self._last, self._part is Part.BODY
        if last is not None and (last.response_started if reads_body else not last.response_complete):
            self._end_after_response(last)
            return
        if last is not None and reads_body:
            last.disconnected = True
            last.message_event.set()
        self.transport.write(_response(reason))
        self.transport.write_eof()
        self.flow.resume_reading()

    def _end_after_response(self, last: RequestResponseCycle) -> None:
        if self.pipeline or last.response_complete:
            self.transport.close()
        else:
            last.keep_alive, self._deadline = False, None


def _response(reason: OvasabiError) -> bytes:
    correlation = new_correlation_id()
    answer = failure(RequestInfo("", "", {}, correlation), reason)
    own = {
        "content-type": answer.media_type, "content-length": str(len(answer.body)), "connection": "close",
        "x-correlation-id": correlation, **answer.headers,
    }  # fmt: skip
    headers = [*((name.encode(), value.encode("latin-1")) for name, value in own.items()), *SAFE]
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return STATUS_LINE[answer.status] + lines + b"\r\n" + answer.body
