"""A client that goes away takes its work with it: the request's task is cancelled, and with it its query."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

PATIENCE_SECONDS = 0.05
"""What takes less time is not worth a watch: a task costs a tenth of a short request."""


def cancelling_on_disconnect(app: App) -> App:
    """Wraps an ASGI application. The watch begins when the body is read, so that it never takes a part of it."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        watch = _Watch(scope, receive)
        try:
            await app(scope, watch.received, send)
        except asyncio.CancelledError:
            if not watch.left:
                raise
        finally:
            watch.end()

    return wrapped


class _Watch:
    """Looks, once a request takes its time, whether its client is still there."""

    def __init__(self, scope: Any, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._body_is_read = _has_no_body(scope)
        self._empty_is_given = False
        self._work = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(PATIENCE_SECONDS, self._begin)

    async def received(self) -> Message:
        """What the application receives: the body; after it, only ever that the client left."""
        if self._body_is_read:
            if self._task is None and self._empty_is_given:
                self._begin()
            if self._task is not None and self._empty_is_given:
                await asyncio.shield(self._task)
                return {"type": "http.disconnect"}
            self._empty_is_given = True
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._body_is_read = self._empty_is_given = True
        return message

    def end(self) -> None:
        """The request is answered."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if not self._body_is_read:
            self._timer = self._loop.call_later(PATIENCE_SECONDS, self._begin)
        elif self._task is None:
            self._task = self._loop.create_task(self._watching())

    async def _watching(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._work is not None:
            self._work.cancel()


def _has_no_body(scope: Any) -> bool:
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
