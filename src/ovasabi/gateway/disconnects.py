"""A client that goes away takes its work with it: the request's task is cancelled, and with it its query."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]


def cancelling_on_disconnect(app: App) -> App:
    """Wraps an ASGI application. The watch begins when the body is read, so that it never takes a part of it."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        work = asyncio.current_task()
        assert work is not None
        watch: asyncio.Task[None] | None = None
        left = asyncio.Event()
        done = False

        async def watching() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()
            if not done:
                work.cancel()

        async def received() -> Message:
            nonlocal watch
            if watch is not None:
                await left.wait()
                return {"type": "http.disconnect"}
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                watch = asyncio.create_task(watching())
            return message

        try:
            if _has_no_body(scope):
                watch = asyncio.create_task(watching())
            await app(scope, received if watch is None else _empty(left), send)
        except asyncio.CancelledError:
            if not left.is_set():
                raise
        finally:
            done = True
            if watch is not None:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch

    return wrapped


def _has_no_body(scope: Any) -> bool:
    return scope["method"] in ("GET", "HEAD") and not any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    )


def _empty(left: asyncio.Event) -> Receive:
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await left.wait()
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive
