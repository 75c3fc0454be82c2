"""Sending requests with asyncio: retries, pages and streams. `transport.py` is made from this file, without asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from ovasabi_client.answers import read, refusal
from ovasabi_client.failures import ApiError
from ovasabi_client.requests import Paging, Request, checked_key
from ovasabi_client.retries import FIRST_PAUSE, Retries
from ovasabi_client.streams import Reader, silence, told
from ovasabi_client.version import VERSION

T = TypeVar("T")
LONGEST_WAIT = 2.0
# Shorter than servers keep idle connections: else one may be closed just when a request is sent on it.
_IDLE_SECONDS = 3.0


class AsyncTransport:
    """The way to one server, with one key."""

    def __init__(self, http: httpx.AsyncClient, retries: int) -> None:
        self.http = http
        self.retries = retries

    async def send(self, request: Request[T]) -> T:
        """The answer to a request; the error that it tells is raised."""
        retries = Retries(request.repeatable, self.retries)
        while True:
            try:
                response = await self.http.request(
                    request.method,
                    request.path,
                    params=request.parameters,
                    content=request.content,
                    headers=request.headers,
                )
            except httpx.TransportError as error:
                await asyncio.sleep(retries.after_loss(request, error))
                continue
            if response.is_success:
                return read(request, response.content)
            wait = retries.after_answer(response.status_code, response.headers)
            if wait is None:
                raise refusal(response.status_code, response.content)
            await asyncio.sleep(wait)

    async def pages(self, request: Request[Any], item: type[T], paging: Paging) -> AsyncIterator[T]:
        """The items of all pages; each page is fetched when the one before is used up."""
        token = None
        while token != "":
            page = await self.send(request)
            items: list[T] = getattr(page, paging.items)
            for one in items:
                yield one
            token = getattr(page, paging.token) if items else ""
            request = request.asking(paging.parameter, token)

    async def until(self, request: Request[T], done: Callable[[T], bool], timeout: float) -> T:
        """Asks again and again, less and less often, until the answer is done; TimeoutError after so many seconds."""
        end, pause = time.monotonic() + timeout, FIRST_PAUSE
        while not done(answer := await self.send(request)):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{request.path} was not done after {timeout} seconds.")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_WAIT)
        return answer

    async def watch(self, request: Request[Any], item: type[T], name: str) -> AsyncIterator[T]:
        """What a stream tells as `name`, as it comes; after a broken connection from where it broke."""
        reader, retries = Reader(), Retries(True, self.retries)
        while True:
            failure: ApiError | httpx.TransportError
            try:
                async for answer in self._stream(request, reader, name):
                    yield answer
                failure = httpx.ReadError("the stream ended")
            except (ApiError, httpx.TransportError) as error:
                failure = error
            if reader.heard:
                retries = Retries(True, self.retries)
            await asyncio.sleep(retries.after_break(request, failure, reader.pause))

    async def _stream(self, request: Request[Any], reader: Reader, name: str) -> AsyncIterator[Any]:
        """The answers of one connection."""
        reader.begin()
        timeout = httpx.Timeout(**{**self.http.timeout.as_dict(), "read": silence(request)})
        async with self.http.stream(
            request.method, request.path, params=request.parameters, headers=reader.headers, timeout=timeout
        ) as response:
            if not response.is_success:
                raise refusal(response.status_code, await response.aread())
            async for chunk in response.aiter_bytes():
                for message in reader.take(chunk):
                    yield told(request, message, name)


class AsyncService:
    """Base of the services: how they send, and the address below which they are."""

    def __init__(self, transport: AsyncTransport, at: str) -> None:
        self._transport = transport
        self._at = at


class AsyncConnection:
    """Base of the client: opened and closed, as a context manager or by hand."""

    def __init__(
        self,
        address: str,
        key: str,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Makes a client of the server at `address`, such as `http://127.0.0.1:8000`; nothing is sent yet.

        Args:
            address: Where the server listens.
            key: An API key, `ovk_…`; white space around it, as a file may have, is not part of it.
            timeout: Seconds to wait for a connection, and for an answer.
            retries: How often a call is sent again at most, where that does no harm.
            headers: Sent with every call, such as X-Correlation-Id.
            http: A client of httpx to send with, if it is to have settings of its own; it is closed with this one.
        """
        self._http = http or httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS), timeout=timeout)
        self._http.base_url = httpx.URL(address)
        self._http.headers.update({"user-agent": f"ovasabi-client/{VERSION}", **(headers or {})})
        self._http.headers["authorization"] = f"Bearer {checked_key(key)}"
        self._transport = AsyncTransport(self._http, retries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._http.aclose()
