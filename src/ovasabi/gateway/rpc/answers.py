"""Answering a gRPC call: the caller admitted, the message read, the call performed; or the status of what failed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from ovasabi.gateway.calls import Caller, admitted, attend, perform
from ovasabi.gateway.problems import BadRequest
from ovasabi.gateway.protobuf.contract import Rpc
from ovasabi.gateway.rpc.callers import CORRELATION_KEY, caller_of
from ovasabi.gateway.statuses import status_of
from ovasabi.gateway.streams import PATIENCE_SECONDS, ReaderStalled
from ovasabi.kernel.context import acting, new_correlation_id
from ovasabi.runtime import Platform

Handler = Callable[[bytes, Any], Awaitable[Any]]


def answering(rpc: Rpc, platform: Platform) -> Handler:
    """What answers one method."""

    async def answer(body: bytes, context: Any) -> Any:
        async def work(caller: Caller) -> bytes:
            message = _read(rpc, body)
            with acting(await admitted(platform, caller, rpc.method, rpc.campaign(message))):
                value = await perform(platform, rpc.call(message))
            told: bytes = rpc.answer(value).SerializeToString()
            return told

        return await _refusing(rpc, context, work)

    return answer


def telling(rpc: Rpc, platform: Platform) -> Handler:
    """What answers one method for as long as the client listens."""

    async def tell(body: bytes, context: Any) -> None:
        async def work(caller: Caller) -> None:
            message = _read(rpc, body)
            with acting(await admitted(platform, caller, rpc.method, rpc.campaign(message))):
                async with aclosing(await attend(platform, rpc.call(message))) as answers:
                    async for value in answers:
                        await _write(context, rpc.answer(value).SerializeToString())

        await _refusing(rpc, context, work)

    return tell


async def _refusing(rpc: Rpc, context: Any, work: Callable[[Caller], Awaitable[Any]]) -> Any:
    correlation = None
    try:
        caller = caller_of(context)
        correlation = caller.correlation_id
        context.set_trailing_metadata(((CORRELATION_KEY, correlation),))
        return await work(caller)
    except Exception as error:
        status = status_of(error, rpc.path, correlation or new_correlation_id())
    await context.abort_with_status(rpc_status.to_status(status))


def _read(rpc: Rpc, body: bytes) -> Message:
    try:
        message: Message = rpc.request_class.FromString(body)
    except DecodeError:
        problem = f"The message is no {rpc.request_class.DESCRIPTOR.full_name}."
        raise BadRequest(problem=problem, hint="Compile the client from the files in api/.") from None
    return message


async def _write(context: Any, body: bytes) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await context.write(body)
    except TimeoutError:
        raise ReaderStalled(seconds=PATIENCE_SECONDS) from None
