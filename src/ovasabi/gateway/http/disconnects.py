"""Cancels a request's task, and with it its database query, when the client disconnects."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

DELAY_SECONDS = 0.05
"""Shorter requests are not watched: the task would cost a tenth of a short request."""


def cancelling_on_disconnect(app: App) -> App:
    """Wraps an ASGI application. Watching begins after the body has been read, so that it never consumes any of it."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        watch = _Watch(scope, receive)
        try:
            await app(scope, watch.receive, send)
        except asyncio.CancelledError:
            if not watch.disconnected:
                raise
        finally:
            watch.end()

    return wrapped


class _Watch:
    """Watches whether the client of a slow request disconnects."""

    def __init__(self, scope: Any, receive: Receive) -> None:
        self.disconnected = False
        self._receive = receive
        self._body_is_read = _has_no_body(scope)
        self._body_is_delivered = False
        self._work = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(DELAY_SECONDS, self._begin)

    async def receive(self) -> Message:
        """The application's `receive`: returns the body, and after it only the disconnect."""
        if self._body_is_read:
            if self._task is None and self._body_is_delivered:
                self._begin()
            if self._task is not None and self._body_is_delivered:
                await asyncio.shield(self._task)
                return {"type": "http.disconnect"}
            self._body_is_delivered = True
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._body_is_read = self._body_is_delivered = True
        return message

    def end(self) -> None:
        """Stops watching, since the response has been sent."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if not self._body_is_read:
            self._timer = self._loop.call_later(DELAY_SECONDS, self._begin)
        elif self._task is None:
            self._task = self._loop.create_task(self._cancel_on_disconnect())

    async def _cancel_on_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.disconnected = True
        if self._work is not None:
            self._work.cancel()


def _has_no_body(scope: Any) -> bool:
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
