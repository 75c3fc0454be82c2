"""Handles gRPC calls: admits the caller, decodes the request and performs the call, or returns an error status."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import cache
from typing import Any

from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from ovasabi.gateway.admission import Caller, perform, serve, watch, while_admitted
from ovasabi.gateway.contract.protobuf.contract import Rpc
from ovasabi.gateway.grpc.call_metadata import CORRELATION_KEY, caller_of, correlation_of
from ovasabi.gateway.grpc.statuses import status_of
from ovasabi.gateway.wire.limits import MAX_BODY_BYTES, PATIENCE_SECONDS, BodyTooLarge, ReaderStalled
from ovasabi.gateway.wire.problems import BadRequest, NoRoute
from ovasabi.kernel.call.context import Context, acting, trace
from ovasabi.kernel.declare.methods import Watched
from ovasabi.runtime import Platform

MAX_MESSAGE_BYTES = MAX_BODY_BYTES + 65_536
"""The limit of HTTP bodies, plus room for the field numbers and lengths of the protobuf encoding."""

Handler = Callable[[bytes, Any], Awaitable[Any]]


def answering(rpc: Rpc, platform: Platform) -> Handler:
    """Returns the handler of a unary method."""

    async def answer(body: bytes, context: Any) -> Any:
        request = _Request(rpc, body)
        del body

        async def work(caller: Caller) -> bytes:
            async def performed(_: Context) -> Any:
                return await perform(platform, rpc.call(request.message))

            value = await serve(platform, caller, rpc.method, lambda: rpc.campaign(request.message), performed)
            response: bytes = rpc.response(value).SerializeToString()
            return response

        try:
            return await _with_error_status(rpc.path, context, work)
        finally:
            request.release()

    return answer


def streaming(rpc: Rpc, platform: Platform) -> Handler:
    """Returns the handler of a streaming method, which runs for as long as the client listens."""

    async def stream(body: bytes, context: Any) -> None:
        request = _Request(rpc, body)
        del body

        async def work(caller: Caller) -> None:
            call = cache(lambda: rpc.call(request.message))

            async def started(scope: Context) -> tuple[Context, AsyncGenerator[Watched, None]]:
                return scope, await watch(platform, call())

            scope, watched = await serve(platform, caller, rpc.method, lambda: rpc.campaign(request.message), started)
            request.release()
            with acting(scope):
                async with aclosing(watched) as messages, while_admitted(platform, caller, call()):
                    # Tells the client that the call was accepted, possibly long before the first message.
                    await context.send_initial_metadata(((CORRELATION_KEY, caller.correlation_id),))
                    async for value in messages:
                        await _write(context, rpc.response(value).SerializeToString())

        try:
            await _with_error_status(rpc.path, context, work)
        finally:
            request.release()

    return stream


def unknown(path: str) -> Callable[[Any, Any], Awaitable[None]]:
    """Returns the handler of a path that is not the path of any method."""

    async def refuse(messages: Any, context: Any) -> None:
        async def work(caller: Caller) -> None:
            raise NoRoute(method="gRPC", path=path, hint="Use server reflection to list the available methods.")

        await _with_error_status(path, context, work)

    return refuse


async def _with_error_status(path: str, context: Any, work: Callable[[Caller], Awaitable[Any]]) -> Any:
    correlation = correlation_of(context)
    trace(correlation)
    context.set_trailing_metadata(((CORRELATION_KEY, correlation),))
    try:
        return await work(caller_of(context, correlation))
    except Exception as error:
        status: Any = rpc_status.to_status(status_of(error, path, correlation))
    # A status replaces the trailing metadata that was set with its own.
    trailing = (*status.trailing_metadata, (CORRELATION_KEY, correlation))
    await context.abort_with_status(status._replace(trailing_metadata=trailing))


class _Request:
    """The message of a call, decoded when it is needed and let go at the end.

    gRPC holds the error that ends a call in a circle with the frames of the call, until a full collection.
    """

    def __init__(self, rpc: Rpc, body: bytes) -> None:
        self._rpc = rpc
        self._body = body
        self._message: Message | None = None

    @property
    def message(self) -> Message:
        """The message."""
        if self._message is None:
            self._message = self._decoded()
        return self._message

    def release(self) -> None:
        """Lets go of the message."""
        self._body, self._message = b"", None

    def _decoded(self) -> Message:
        if len(self._body) > MAX_MESSAGE_BYTES:
            raise BodyTooLarge(limit=MAX_MESSAGE_BYTES)
        try:
            message: Message = self._rpc.request_class.FromString(self._body)
        except DecodeError:
            problem = f"The message is not a valid {self._rpc.request_class.DESCRIPTOR.full_name}."
            raise BadRequest(problem=problem, hint="Generate the client from the files in api/.") from None
        return message


async def _write(context: Any, body: bytes) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await context.write(body)
    except TimeoutError:
        raise ReaderStalled(seconds=PATIENCE_SECONDS) from None
