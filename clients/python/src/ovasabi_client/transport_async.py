"""Sends requests with asyncio: retries, pages and streams. `transport.py` is generated from this file."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from ovasabi_client.failures import ApiError
from ovasabi_client.requests import Paging, Request, checked_key
from ovasabi_client.responses import read, refusal
from ovasabi_client.retries import FIRST_PAUSE, Retries
from ovasabi_client.streams import Reader, silence_limit, value_of
from ovasabi_client.version import VERSION

T = TypeVar("T")
LONGEST_WAIT = 2.0
# Shorter than the idle timeout of servers: otherwise, one could close a connection while a request is sent on it.
_IDLE_SECONDS = 3.0


class AsyncTransport:
    """Connects to one server with one key."""

    def __init__(self, http: httpx.AsyncClient, retries: int) -> None:
        self.http = http
        self.retries = retries

    async def send(self, request: Request[T]) -> T:
        """Returns the response to a request. Raises `ApiError` if the server refuses it."""
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
            wait = retries.after_response(response.status_code, response.headers)
            if wait is None:
                raise refusal(response.status_code, response.content)
            await asyncio.sleep(wait)

    async def pages(self, request: Request[Any], item: type[T], paging: Paging) -> AsyncIterator[T]:
        """Yields the items of all pages; a page is fetched when the previous one is exhausted."""
        token = None
        while token != "":
            page = await self.send(request)
            items: list[T] = getattr(page, paging.items)
            for each in items:
                yield each
            token = getattr(page, paging.token) if items else ""
            request = request.with_parameter(paging.parameter, token)

    async def until(self, request: Request[T], done: Callable[[T], bool], timeout: float) -> T:
        """Polls, less and less often, until the response is done. Raises `TimeoutError` after `timeout` seconds."""
        end, pause = time.monotonic() + timeout, FIRST_PAUSE
        while not done(response := await self.send(request)):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{request.path} was not done after {timeout} seconds.")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_WAIT)
        return response

    async def watch(self, request: Request[Any], item: type[T], name: str) -> AsyncIterator[T]:
        """Yields the attribute `name` of each message of a stream; a broken stream is resumed where it broke."""
        reader, retries = Reader(), Retries(True, self.retries)
        while True:
            failure: ApiError | httpx.TransportError
            try:
                async for value in self._stream(request, reader, name):
                    yield value
                failure = httpx.ReadError("the stream ended")
            except (ApiError, httpx.TransportError) as error:
                failure = error
            if reader.received:
                retries = Retries(True, self.retries)
            await asyncio.sleep(retries.after_break(request, failure, reader.pause))

    async def _stream(self, request: Request[Any], reader: Reader, name: str) -> AsyncIterator[Any]:
        """Yields the values received on one connection."""
        reader.begin()
        timeout = httpx.Timeout(**{**self.http.timeout.as_dict(), "read": silence_limit(request)})
        async with self.http.stream(
            request.method, request.path, params=request.parameters, headers=reader.headers, timeout=timeout
        ) as response:
            if not response.is_success:
                raise refusal(response.status_code, await response.aread())
            async for chunk in response.aiter_bytes():
                for message in reader.take(chunk):
                    yield value_of(request, message, name)


class AsyncService:
    """The base class of the services."""

    def __init__(self, transport: AsyncTransport, at: str) -> None:
        self._transport = transport
        self._at = at


class AsyncConnection:
    """The base class of the client. Use it as a context manager, or close it explicitly."""

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
        """Creates a client of the server at `address`, such as `http://127.0.0.1:8000`. Sends nothing yet.

        Args:
            address: The URL of the server.
            key: An API key, `ovk_…`. Surrounding whitespace, such as a newline read from a file, is ignored.
            timeout: Seconds to wait for a connection, and for a response.
            retries: The maximum number of times that a call is repeated; only safe calls are.
            headers: Headers to send with every call, such as X-Correlation-Id.
            http: An httpx client to use, for example one with your own settings; it is closed with this client.
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
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()
