"""Server-sent events: what a watch tells over HTTP, for as long as the client listens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from ovasabi.gateway.http.disconnects import Send
from ovasabi.gateway.http.failures import Asked, failure
from ovasabi.gateway.wire.headers import EVENT_STREAM
from ovasabi.gateway.wire.limits import PATIENCE_SECONDS, ReaderStalled
from ovasabi.kernel.call.context import Context, acting
from ovasabi.kernel.declare.methods import Watched

_HEADERS = [(b"content-type", EVENT_STREAM.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class Stream(msgspec.Struct, frozen=True):
    """The answers to a watch. Each is an event with its cursor as id; an error that ends it is an event `error`."""

    answers: AsyncGenerator[Watched, None]
    context: Context
    asked: Asked

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Sends them as they come."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        with acting(self.context):
            try:
                async with aclosing(self.answers) as answers:
                    # The first line says that the watch has begun, which may be long before anything happens.
                    if not head:
                        await _tell(send, b": watching\n\n")
                        async for answer in answers:
                            await _tell(send, _event(answer))
            except Exception as error:
                await _tell(send, b"event: error\ndata: %b\n\n" % failure(self.asked, error).body)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(answer: Watched) -> bytes:
    # Without data it is no event to a browser, but the id is kept, and sent when it connects again.
    if answer.silent:
        return b": heartbeat\nid: %b\n\n" % answer.cursor.encode()
    return b"id: %b\ndata: %b\n\n" % (answer.cursor.encode(), msgspec.json.encode(answer))


async def _tell(send: Send, text: bytes) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await send({"type": "http.response.body", "body": text, "more_body": True})
    except TimeoutError:
        raise ReaderStalled(seconds=PATIENCE_SECONDS) from None
