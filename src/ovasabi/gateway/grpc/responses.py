"""Answering a gRPC call: the caller admitted, the message read, the call performed; or the status of what failed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from ovasabi.gateway.admission import Caller, admitted, attend, perform
from ovasabi.gateway.contract.protobuf.contract import Rpc
from ovasabi.gateway.grpc.call_metadata import CORRELATION_KEY, caller_of, correlation_of
from ovasabi.gateway.grpc.statuses import status_of
from ovasabi.gateway.wire.limits import MAX_BODY_BYTES, PATIENCE_SECONDS, BodyTooLarge, ReaderStalled
from ovasabi.gateway.wire.problems import BadRequest, NoRoute
from ovasabi.kernel.call.context import acting
from ovasabi.runtime import Platform

MAX_MESSAGE_BYTES = MAX_BODY_BYTES + 65_536
"""Beside a body of the size that HTTP takes, there are the names and numbers of its fields."""

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

        return await _refusing(rpc.path, context, work)

    return answer


def telling(rpc: Rpc, platform: Platform) -> Handler:
    """What answers one method for as long as the client listens."""

    async def tell(body: bytes, context: Any) -> None:
        async def work(caller: Caller) -> None:
            message = _read(rpc, body)
            with acting(await admitted(platform, caller, rpc.method, rpc.campaign(message))):
                async with aclosing(await attend(platform, rpc.call(message))) as answers:
                    # Says that the call is not refused, which may be long before there is anything to tell.
                    await context.send_initial_metadata(((CORRELATION_KEY, caller.correlation_id),))
                    async for value in answers:
                        await _write(context, rpc.answer(value).SerializeToString())

        await _refusing(rpc.path, context, work)

    return tell


def refusing_unknown(path: str) -> Callable[[Any, Any], Awaitable[None]]:
    """What answers a call of a path that is no method's."""

    async def refuse(messages: Any, context: Any) -> None:
        async def work(caller: Caller) -> None:
            raise NoRoute(method="gRPC", path=path, hint="Ask the server's reflection for what there is.")

        await _refusing(path, context, work)

    return refuse


async def _refusing(path: str, context: Any, work: Callable[[Caller], Awaitable[Any]]) -> Any:
    correlation = correlation_of(context)
    context.set_trailing_metadata(((CORRELATION_KEY, correlation),))
    try:
        return await work(caller_of(context, correlation))
    except Exception as error:
        status: Any = rpc_status.to_status(status_of(error, path, correlation))
    # A status brings trailing metadata of its own, in place of what was set.
    trailing = (*status.trailing_metadata, (CORRELATION_KEY, correlation))
    await context.abort_with_status(status._replace(trailing_metadata=trailing))


def _read(rpc: Rpc, body: bytes) -> Message:
    if len(body) > MAX_MESSAGE_BYTES:
        raise BodyTooLarge(limit=MAX_MESSAGE_BYTES)
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
