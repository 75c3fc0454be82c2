"""An HTTP request and its response, as a thin layer over ASGI: nothing is read or parsed before it is needed."""

from collections.abc import MutableMapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from ovasabi.decimals import to_json
from ovasabi.gateway.http.disconnects import Send
from ovasabi.gateway.wire.headers import JSON
from ovasabi.gateway.wire.limits import MAX_BODY_BYTES, BodyTooLarge
from ovasabi.gateway.wire.problems import BadRequest
from ovasabi.kernel.declare.entity import Entity


class HttpRequest:
    """An HTTP request."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Any) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._receive = receive

    @property
    def verb(self) -> str:
        """The HTTP method, with HEAD treated as GET."""
        return "GET" if self.method == "HEAD" else self.method

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name; if a header is repeated, its first value."""
        return {str(name, "latin-1"): str(value, "latin-1") for name, value in reversed(self.scope["headers"])}

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters in order."""
        text: bytes = self.scope["query_string"]
        return parse_qsl(text.decode("latin-1"), keep_blank_values=True) if text else []

    @property
    def correlation_id(self) -> str:
        """The id that identifies this request in events, errors and logs."""
        correlation: str = self.scope["state"]["correlation_id"]
        return correlation

    async def body(self) -> bytes:
        """Returns the whole body; raises BodyTooLarge as soon as it exceeds the limit."""
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequest(problem="The client disconnected.")
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise BodyTooLarge(limit=MAX_BODY_BYTES)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class HttpResponse(msgspec.Struct, frozen=True):
    """An HTTP response: its body, status and headers."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: dict[str, str] = {}

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Sends the response; without its body if the request is a HEAD."""
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(self.body)),
            *((name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body, "more_body": False})


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Returns a response with a value as JSON, and the version of an entity as its ETag."""
    extra = headers or {}
    if isinstance(value, Entity):
        extra = {**extra, "etag": f'"{value.version}"'}
    return HttpResponse(to_json(value), status, JSON, extra)
