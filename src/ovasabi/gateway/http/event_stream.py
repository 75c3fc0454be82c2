"""Server-sent events: the messages of a watch over HTTP, for as long as the client listens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing

import msgspec

from ovasabi.decimals import to_json
from ovasabi.gateway.http.disconnects import Send
from ovasabi.gateway.http.failures import RequestInfo, failure
from ovasabi.gateway.wire.headers import EVENT_STREAM
from ovasabi.gateway.wire.limits import PATIENCE_SECONDS, ReaderStalled
from ovasabi.kernel.call.context import Context, acting
from ovasabi.kernel.declare.methods import Watched

_HEADERS = [(b"content-type", EVENT_STREAM.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]

_SHORT = 32 * 1024
"""Texts up to this length may wait in the connection's buffer, which holds 64 KiB before a send waits."""


class Stream(msgspec.Struct, frozen=True):
    """The response to a watch. Each message is an event with its cursor as id; a final error is an event `error`."""

    messages: AsyncGenerator[Watched, None]
    admitted: AbstractAsyncContextManager[None]
    context: Context
    request: RequestInfo

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Sends the messages as they arrive."""
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        with acting(self.context):
            try:
                async with aclosing(self.messages) as messages, self.admitted:
                    # The first line tells the client that the watch has begun, possibly long before the first event.
                    if not head:
                        await _send(send, b": watching\n\n")
                        async for message in messages:
                            await _send(send, _event(message))
            except Exception as error:
                await _send(send, b"event: error\ndata: %b\n\n" % failure(self.request, error).body)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(message: Watched) -> bytes:
    # Without data, a browser fires no event, but it stores the id and sends it when it reconnects.
    if message.silent:
        lag = "" if message.lag_seconds is None else f", {message.lag_seconds} s behind"
        return f": heartbeat{lag}\nid: {message.cursor}\n\n".encode()
    return b"id: %b\ndata: %b\n\n" % (message.cursor.encode(), to_json(message))


async def _send(send: Send, text: bytes) -> None:
    """Sends a text; a long one until the client has taken nearly all of it, since nobody counts what waits here."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await send({"type": "http.response.body", "body": text, "more_body": True})
            if len(text) > _SHORT:
                await send({"type": "http.response.body", "body": b"", "more_body": True})
    except TimeoutError:
        raise ReaderStalled(seconds=PATIENCE_SECONDS) from None
